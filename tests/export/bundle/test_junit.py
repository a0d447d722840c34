import xml.etree.ElementTree as ET
from dataclasses import replace

from impasto.export.bundle import junit
from impasto.export.bundle.verification import FORMAT, Verification
from impasto.export.validation.checks import Check, Checks

CHECKS = [
    Check("files", "android/model.onnx", "passed", seconds=0.25),
    Check("files", "README.md", "failed", 'README.md was changed: <"&>'),
    Check("runtime", "node", "skipped", "run make tools"),
]
REPORT = Verification(FORMAT, "0.1.0", "swirls", "swirls", "a" * 64, False, CHECKS, [], {"node": "run make tools"})


def test_to_xml_has_a_case_for_each_check() -> None:
    root = ET.fromstring(junit.to_xml(REPORT))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("skipped")) == ("testsuites", "3", "1", "1")
    assert root.get("time") == "0.250" and root.get("errors") == "0"
    files, runtimes = root.findall("testsuite")
    assert (files.get("name"), files.get("tests"), files.get("failures")) == ("swirls.files", "2", "1")
    assert (runtimes.get("name"), runtimes.get("skipped")) == ("swirls.runtime", "1")
    passed, failed, skipped = root.iter("testcase")
    assert passed.attrib == {
        "classname": "impasto-verify.swirls.files",
        "name": "android/model.onnx",
        "time": "0.250",
    }
    assert [*passed] == []
    (failure,) = failed
    assert (failure.tag, failure.get("type"), failure.text) == ("failure", "files", CHECKS[1].message)
    assert failure.get("message") == CHECKS[1].message
    (reason,) = skipped
    assert (reason.tag, reason.get("message")) == ("skipped", "run make tools")
    assert {item.get("value") for item in root.iter("property")} == {"a" * 64}


def test_to_xml_of_a_name_with_control_characters_is_xml() -> None:
    checks = Checks()
    checks.fail("files", "a\x1b[31m\x00\udcff.onnx", "a\x1b[31m\x00\udcff.onnx is not part of the bundle")
    text = junit.to_xml(replace(REPORT, checks=checks.done, digest=None))
    (case,) = ET.fromstring(text.encode()).iter("testcase")
    assert case.get("name") == r"a\x1b[31m\x00\udcff.onnx"
