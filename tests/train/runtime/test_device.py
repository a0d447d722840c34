import pytest
import torch

from impasto.train.runtime import device


def test_choose_auto_precision_depends_on_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for amx, avx, dtype in (
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        assert device.choose("cpu", "auto").dtype == dtype
        assert device.choose("cpu", "fp32").dtype == torch.float32
        assert device.choose("cpu", "bf16").dtype == torch.bfloat16
