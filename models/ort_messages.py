"""Shorten the messages of ONNX Runtime and its programs to what fits into one sentence."""

_LONGEST = 200  # characters


def reason(error: Exception | str) -> str:
    """Return what went wrong on one line of at most 200 characters.

    Args:
        error: What ONNX Runtime raised: the reason is the last part of `[ONNXRuntimeError] : code : NAME : reason`. Or
            what a program printed: then the reason is in the first line with `error: `, or in the last line.

    Returns:
        The reason; empty where a program printed nothing.
    """
    text = _telling_line(error) if isinstance(error, str) else str(error)
    return " ".join(text.split(" : ")[-1].split())[:_LONGEST]


def _telling_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line.partition("error: ")[2] for line in lines if "error: " in line]
    return [*errors[:1], *lines[-1:], ""][0]
