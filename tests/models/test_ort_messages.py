import pytest

from impasto.models.ort_messages import reason


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load failed:\n  Protobuf"), "Load failed: Protobuf"),
        (ValueError("a plain\nsentence"), "a plain sentence"),
        ("building\nmain.c:3: error: no header\nmain.c:4: error: no type\ndone\n", "no header"),
        ("Traceback:\n  File\nFail: [ONNXRuntimeError] : 1 : FAIL : no model\n\n", "no model"),
        ("", ""),
        ("x" * 1000, "x" * 200),
    ],
)
def test_reason_is_the_telling_part_on_one_line(error: Exception | str, expected: str) -> None:
    assert reason(error) == expected
