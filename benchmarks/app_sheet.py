"""The picture of the page in README and docs: impasto-app on a phone, light, and on a desktop, dark.

Run: python -m benchmarks.app_sheet, after make tools
"""

import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from tests.helpers.heavy import tool
from tests.helpers.webapp import page

OUTPUT = Path("docs/app.jpg")
HEIGHT, GAP = 660, 24  # px
QUALITY, LARGEST = 78, 150_000


def main() -> None:
    """Write the picture."""
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    with tempfile.TemporaryDirectory() as name, page() as url:
        script = Path(__file__).with_suffix(".mjs")
        subprocess.run([*map(str, (programs[0], script, *programs[1:], url, name))], check=True, timeout=500)
        assert json.loads((Path(name) / "report.json").read_text()) == {"console": [], "external": []}
        pictures = [Image.open(Path(name) / f"{view}.png").convert("RGB") for view in ("phone", "desktop")]
    pictures = [picture.resize((picture.width * HEIGHT // picture.height, HEIGHT)) for picture in pictures]
    sheet = Image.new("RGB", (sum(picture.width for picture in pictures) + GAP, HEIGHT), "white")
    sheet.paste(pictures[0], (0, 0))
    sheet.paste(pictures[1], (pictures[0].width + GAP, 0))
    sheet.save(OUTPUT, quality=QUALITY, optimize=True, progressive=True)
    assert OUTPUT.stat().st_size <= LARGEST
    print(OUTPUT, sheet.size, OUTPUT.stat().st_size)


if __name__ == "__main__":
    main()
