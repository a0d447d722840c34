"""The report of a verification as JUnit XML, which GitHub's actions, GitLab and Jenkins read."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from impasto.export.bundle.verification import Verification
from impasto.export.validation.checks import Check

_SUITE = "impasto-verify"


def to_xml(verification: Verification) -> str:
    """Return the report: a test suite for each group of checks, a test case for each check."""
    root = ET.Element("testsuites", {"name": _SUITE} | _counts(verification.checks))
    groups: dict[str, list[Check]] = {}
    for check in verification.checks:
        groups.setdefault(check.group, []).append(check)
    for group, checks in groups.items():
        suite = ET.SubElement(root, "testsuite", {"name": f"{verification.bundle}.{group}"} | _counts(checks))
        if verification.digest is not None:
            ET.SubElement(ET.SubElement(suite, "properties"), "property", name="digest", value=verification.digest)
        for check in checks:
            suite.append(_case(check, f"{_SUITE}.{verification.bundle}.{group}"))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(check: Check, classname: str) -> ET.Element:
    case = ET.Element("testcase", classname=classname, name=check.name, time=f"{check.seconds:.3f}")
    if check.status == "failed":
        ET.SubElement(case, "failure", message=check.message, type=check.group).text = check.message
    elif check.status == "skipped":
        ET.SubElement(case, "skipped", message=check.message)
    return case


def _counts(checks: Sequence[Check]) -> dict[str, str]:
    statuses = [check.status for check in checks]
    return {
        "tests": str(len(checks)),
        "failures": str(statuses.count("failed")),
        "errors": "0",
        "skipped": str(statuses.count("skipped")),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }
