import logging
import sys
import warnings

import pytest

from impasto.export.suppress_output import suppress_output


def test_suppress_output_with_chatter_lets_only_exceptions_pass(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, handler = logging.getLogger("converter"), logging.StreamHandler()  # has the stderr of this moment
    monkeypatch.setattr(logger, "handlers", [handler])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="broken"), suppress_output():
            print("chatter")
            print("chatter", file=sys.stderr)
            warnings.warn("chatter", stacklevel=1)
            logger.error("chatter")
            raise ValueError("broken")
    assert warned == []
    assert capsys.readouterr() == ("", "")
    print("afterwards")
    logger.error("afterwards")
    assert capsys.readouterr() == ("afterwards\n", "afterwards\n")
