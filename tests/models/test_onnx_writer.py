"""Further tests of the files: tests/export/onnx_graph/test_artifacts_network.py, tests/export/test_exported_zoo.py."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from impasto.configs.schema.model import ModelConfig
from impasto.models import onnx_model, onnx_writer, transform_net
from impasto.models.image.picture import Picture
from tests.helpers.networks import LABEL, MODELS


def test_write_of_blocks_at_an_eighth_matches_pytorch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = transform_net.build(ModelConfig("mobile", 0.5, 2, 2))
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    pixels = np.random.default_rng(0).integers(0, 256, (45, 70, 3), np.uint8)
    with torch.no_grad():
        expected = transform_net.stylize(network.eval(), torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
    onnx_writer.write(network, tmp_path / "model.onnx", "uint8_rgba", LABEL)
    result = onnx_model.stylize(onnx_model.load(tmp_path / "model.onnx"), Picture(pixels)).rgb
    difference = np.abs(result - expected[0].permute(1, 2, 0).numpy())
    assert difference.max() < 1 and expected.std() > 20


def test_write_of_passes_matches_pytorch_where_a_photo_is_flat(tmp_path: Path) -> None:
    """Near its detail a flat photo takes a share of the pass before, and farther away none."""
    torch.manual_seed(0)
    network = transform_net.build(MODELS["studio"]).eval()
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    pixels = np.full((352, 352, 3), 200, np.uint8)
    pixels[:64, :64] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with torch.no_grad():
        expected = transform_net.stylize(network, torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
    onnx_writer.write(network, tmp_path / "model.onnx", "uint8_rgba", LABEL)
    result = onnx_model.stylize(onnx_model.load(tmp_path / "model.onnx"), Picture(pixels)).rgb
    assert np.abs(result - expected[0].permute(1, 2, 0).numpy()).max() < 1


def test_write_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = transform_net.build(MODELS["mobile"]).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    onnx_writer.write(network, tmp_path / "training.onnx", "uint8_rgba", LABEL)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    onnx_writer.write(network.eval(), tmp_path / "evaluation.onnx", "uint8_rgba", LABEL)
    assert (tmp_path / "training.onnx").read_bytes() == (tmp_path / "evaluation.onnx").read_bytes()


def test_write_of_an_unknown_module_names_it(tmp_path: Path) -> None:
    network = transform_net.build(MODELS["johnson"])
    assert isinstance(network.body, nn.Sequential)
    network.body.append(nn.GELU())
    with pytest.raises(TypeError, match="GELU"):
        onnx_writer.write(network, tmp_path / "model.onnx", "uint8_rgba", LABEL)
    assert not (tmp_path / "model.onnx").exists()
