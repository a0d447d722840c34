"""The files around the package agree with each other: versions, pins, targets of make, CI, and templates."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GITHUB = ROOT / ".github"
TARGETS = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)}


def dependencies() -> Iterator[Requirement]:
    """Every direct dependency of the package and its extras."""
    for line in [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]:
        if (requirement := Requirement(line)).name != "impasto":
            yield requirement


def pins() -> dict[str, Requirement]:
    """The lines of constraints.txt by the name of the package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len({canonicalize_name(pin.name) for pin in parsed}) == len(parsed) > 100
    return {canonicalize_name(pin.name): pin for pin in parsed}


def steps() -> Iterator[str]:
    """The shell commands of the workflow's jobs."""
    workflow = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    for job in workflow["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def test_constraints_pin_each_dependency_to_an_allowed_version() -> None:
    pinned = pins()
    for requirement in dependencies():
        name = canonicalize_name(requirement.name)
        if name == "setuptools":  # pip also applies constraints to the builds of other packages
            assert name not in pinned
            continue
        (version,) = (str(pin.version) for pin in pinned[name].specifier)
        assert version in requirement.specifier, f"{requirement} excludes {pinned[name]}"


def test_constraints_name_no_folder_or_address() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|@|file:|^-", text, re.MULTILINE)


def test_extras_are_parts_of_all_and_of_dev() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == {*extras} - {"all", "demo", "docs", "dev", "qnn"}  # the last has Qualcomm's own license
    assert Requirement(extras["dev"][0]).extras == {"all", "demo", "docs"}


def test_upper_bounds_are_those_of_private_modules() -> None:
    bounded = {requirement.name for requirement in dependencies() if "<" in str(requirement.specifier)}
    assert bounded == {"torch", "hydra-core", "coremltools"}


def test_version_has_a_section_in_the_changelog_and_is_cited() -> None:
    released = re.findall(
        r"^## \[?(\d\S*?)\]? - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert released[0] == (PROJECT["version"], str(cited["date-released"]))
    assert cited["version"] == PROJECT["version"] and cited["license"] == PROJECT["license"]


def test_changelog_sections_have_the_names_of_keep_a_changelog_once() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
        known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert headings == [name for name in known if name in headings]


def test_workflow_runs_targets_of_make_and_the_declared_versions_of_python() -> None:
    called = {word for line in steps() if line.startswith("make ") for word in shlex.split(line)[1:]}
    assert called and called <= TARGETS
    ci = re.findall(r"\bmake ([a-z -]+[a-z])", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert {"dist", "docs", "test-all"} <= {word for line in ci for word in line.split()} <= TARGETS
    workflow = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    declared = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert matrix["python"] == declared == ["3.11", "3.12", "3.13"] and len(matrix["os"]) == 3
    assert workflow["env"]["PIP_CONSTRAINT"].endswith("/constraints.txt")


def test_pre_commit_hooks_run_targets_of_make() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert entries == ["make lint", "make types"] and {"lint", "types"} <= TARGETS


def test_contributing_names_every_target_that_a_contributor_needs() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"\nmake {target} " in text for target in ("check", "test", "demo", "docs", "dist"))


@pytest.mark.parametrize("template", sorted(GITHUB.glob("ISSUE_TEMPLATE/[!c]*.yml")), ids=lambda path: path.stem)
def test_issue_template_has_fields_of_github_forms(template: Path) -> None:
    form = yaml.safe_load(template.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= {*form}
    identifiers = [field["id"] for field in form["body"]]
    assert len({*identifiers}) == len(identifiers)
    assert all(
        field["type"] in ("textarea", "input", "dropdown") and field["attributes"]["label"] for field in form["body"]
    )


def test_dependabot_watches_folders_that_have_dependencies() -> None:
    config = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    files = {"pip": "pyproject.toml", "npm": "package.json", "github-actions": ".github/workflows/ci.yml"}
    for update in config["updates"]:
        assert (ROOT / update["directory"].strip("/") / files[update["package-ecosystem"]]).is_file()
