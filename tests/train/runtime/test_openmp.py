import os
import subprocess
import sys

import pytest

from impasto.train.runtime import openmp


def test_limit_spinning_respects_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    openmp.limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "100000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    openmp.limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


@pytest.mark.slow
def test_import_of_train_commands_changes_no_environment_and_imports_no_torch() -> None:
    """OpenMP reads its environment when torch is imported."""
    code = (
        "import os, sys; before = dict(os.environ)\n"
        "import impasto.train.commands.train, impasto.train.commands.optimize\n"
        "assert dict(os.environ) == before and 'torch' not in sys.modules\n"
        "import impasto.train.engine.trainer; assert 'GOMP_SPINCOUNT' not in os.environ"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
