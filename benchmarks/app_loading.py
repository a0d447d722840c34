"""How long the page of impasto-app takes to open in Chromium, from this computer, without a cache.

Prints the medians of: the first paint of anything, the sample photo in the first style at the size that is shown, a
thumbnail in each style, and the bytes, before compression, that the page asked for until the latter two.

Run: python -m benchmarks.app_loading [--rounds 5] [MODEL ...], after make tools
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from tests.helpers.heavy import tool
from tests.helpers.webapp import page


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="as models= of impasto-app; the zoo by default")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    with tempfile.TemporaryDirectory() as name, page(*options.models) as url:
        script = Path(__file__).with_suffix(".mjs")
        command = [programs[0], script, *programs[1:], url, name, options.rounds]
        subprocess.run([*map(str, command)], check=True, timeout=600)
        rounds = json.loads((Path(name) / "report.json").read_text())["rounds"]
    figures = {key: median(row[key] for row in rounds) for key in rounds[0]}
    print("| first paint | first style | all thumbnails | bytes until the first style | until all thumbnails |")
    print("| --- | --- | --- | --- | --- |")
    cells = [f"{figures[key] / 1000:.2f} s" for key in ("paint", "first", "strip")]
    print(f"| {' | '.join([*cells, *(f'{figures[key] / 1e6:.1f} MB' for key in ('bytes', 'all'))])} |")


if __name__ == "__main__":
    main()
