from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.training.discriminators import PatchDiscriminator, ProcessBatchNorm
from torch import nn
from torch.nn import functional as F


@pytest.mark.goldens
def test_the_discriminator_of_frames_has_the_official_weights_names_and_shapes(shared: Path) -> None:
    keys = json.loads((shared / "goldens/vidtok/full_keys/_loss_subtree.json").read_text())
    official = {
        name.removeprefix("loss.discriminator."): shape for name, shape in keys.items() if "discriminator" in name
    }
    with torch.device("meta"):
        discriminator = PatchDiscriminator(2)
    assert {name: list(value.shape) for name, value in discriminator.state_dict().items()} == official
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_765_633


def test_frames_are_told_apart_by_strided_4x4_convolutions() -> None:
    discriminator = PatchDiscriminator(2, width=4, num_layers=3)
    state = dict(discriminator.named_parameters())
    video = torch.rand(2, 3, 3, 32, 32) * 2 - 1
    x = video.transpose(1, 2).flatten(0, 1)
    x = F.leaky_relu(F.conv2d(x, state["main.0.weight"], state["main.0.bias"], 2, 1), 0.2)
    for layer, stride in ((2, 2), (5, 2), (8, 1)):
        x = F.conv2d(x, state[f"main.{layer}.weight"], None, stride, 1)
        norm = state[f"main.{layer + 1}.weight"], state[f"main.{layer + 1}.bias"]
        x = F.leaky_relu(F.batch_norm(x, None, None, *norm, training=True), 0.2)
    x = F.conv2d(x, state["main.11.weight"], state["main.11.bias"], 1, 1)
    assert x.shape == (6, 1, 2, 2)
    torch.testing.assert_close(discriminator(video), x)


def test_the_discriminator_of_clips_halves_time_twice() -> None:
    discriminator = PatchDiscriminator(3, width=4)
    convolutions = [module for module in discriminator.main if isinstance(module, nn.Conv3d)]
    assert [conv.kernel_size for conv in convolutions] == [(3, 3, 3)] * 5
    assert [conv.stride for conv in convolutions] == [(2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 1, 1), (1, 1, 1)]
    assert [conv.out_channels for conv in convolutions] == [4, 8, 16, 32, 1]
    assert discriminator(torch.zeros(2, 3, 9, 32, 32)).shape == (2, 1, 3, 4, 4)


def test_first_weights_are_drawn_as_the_official_ones() -> None:
    discriminator = PatchDiscriminator(2, width=64, num_layers=2)
    conv, norm = discriminator.main[5], discriminator.main[3]
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert isinstance(norm, ProcessBatchNorm)
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.01)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert not norm.bias.any()
