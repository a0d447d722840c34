"""The commands of docs/ci.md do what the page says."""

import shlex
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from impasto.configs.cli.app import compose
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import verification
from impasto.export.commands import verify

PAGE = Path(__file__).parents[1] / "docs" / "ci.md"


def commands() -> dict[str, list[str]]:
    """The impasto commands of the workflow by name, each with its overrides."""
    workflow = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    lines = [shlex.split(step["run"]) for step in job["steps"] if step.get("run", "").startswith("impasto-")]
    return {line[0].removeprefix("impasto-"): line[1:] for line in lines}


def test_workflow_reports_what_it_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = commands()
    export = compose("export", lines["export"])
    config = compose("verify", lines["verify"])
    assert isinstance(export, ExportConfig) and export.output == config.bundle
    (tmp_path / "reports").mkdir()
    shutil.copytree(Path(verification.__file__).parents[1] / "schemas", config.bundle)  # no bundle
    with pytest.raises(Exception, match="is not a bundle"):
        verify.task(config)
    assert ET.parse("reports/verify.xml").getroot().get("failures") == "1"
    assert sorted(path.name for path in Path("reports").iterdir()) == ["verify.json", "verify.xml"]
