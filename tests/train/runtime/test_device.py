import pytest
import torch

from impasto.configs.errors import UsageError
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


@pytest.mark.parametrize(("name", "gpu"), [("cuda", "CUDA"), ("mps", "Metal")])
def test_choose_missing_gpu_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, gpu: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=f"device={name} is not available: PyTorch found no {gpu} GPU; use device=cpu"):
        device.choose(name, "auto")


def test_choose_mps_computes_in_float32_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    hardware = device.choose("mps", "auto")
    assert (hardware.device.type, hardware.dtype) == ("mps", torch.float32)
    assert device.choose("mps", "bf16").dtype == torch.bfloat16
