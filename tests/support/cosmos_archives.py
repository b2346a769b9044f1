"""TorchScript modules with the names and signatures of NVIDIA's Cosmos archives."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

PIXELS = 8
"""Pixels along an edge, and a quarter of its frames, that a latent of the toy archives stands for."""


class _Branch(nn.Module):
    """A tree of parameters by dotted name."""

    def __init__(self, tensors: dict[str, Tensor]):
        super().__init__()
        children: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            first, _, rest = name.partition(".")
            if rest:
                children.setdefault(first, {})[rest] = value
            else:
                self.register_parameter(first, nn.Parameter(value.clone(), requires_grad=False))
        for name, inner in children.items():
            self.add_module(name, _Branch(inner))


class OfficialNames(_Branch):
    """The weights of a network under the official names, with constants and a convolution that is never called."""

    def __init__(self, model: nn.Module):
        num_levels = len(model.config.channels_mult)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        tensors = {official_name(name, num_levels): value for name, value in model.state_dict().items()}
        tensors["encoder.patcher3d.wavelets"] = torch.ones(2)
        tensors["encoder.down.0.downsample.conv2.conv3d.weight"] = torch.ones(3)
        super().__init__(tensors)

    def forward(self, video: Tensor) -> Tensor:
        return video


def official_name(name: str, num_levels: int) -> str:
    """The name in NVIDIA's code of a tensor of diffusers' networks, written down from the list of official names."""
    name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{num_levels - 1 - int(m[1])}", name)
    for ours, official in {
        "down_blocks": "down",
        "mid_block.resnets.0": "mid.block_1",
        "mid_block.resnets.1": "mid.block_2",
        "mid_block.attentions.0": "mid.attn_1.0",
        "mid_block.temp_attentions.0": "mid.attn_1.1",
        ".resnets.": ".block.",
        "downsamplers.0": "downsample",
        "upsamplers.0": "upsample",
        "conv_shortcut": "nin_shortcut",
        "to_out.0": "proj_out",
        ".to_q.": ".q.",
        ".to_k.": ".k.",
        ".to_v.": ".v.",
        "conv_s.": "0.",
        "conv_t.": "1.",
    }.items():
        name = name.replace(ours, official)
    return name if ".norm." in name else re.sub(r"\.(weight|bias)$", r".conv3d.\1", name)


class ToyContinuousEncoder(nn.Module):
    """Averages blocks of the first frame and of every four later ones; gives the latent and something beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        blocks = nn.functional.avg_pool3d(video, (1, PIXELS, PIXELS))
        first, later = blocks[:, :, :1], blocks[:, :, 1:]
        later = later.reshape(later.shape[0], 3, -1, 4, later.shape[3], later.shape[4]).mean(3)
        latent = torch.cat([first, later], 2) * self.gain
        return latent, torch.zeros(1)


class ToyContinuousDecoder(nn.Module):
    """Repeats what :class:`ToyContinuousEncoder` averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, latent: Tensor) -> Tensor:
        frames = torch.cat([latent[:, :, :1], latent[:, :, 1:].repeat_interleave(4, 2)], 2)
        return frames.repeat_interleave(PIXELS, 3).repeat_interleave(PIXELS, 4) * self.gain


class ToyDiscreteEncoder(nn.Module):
    """Gives indices (int32) of 64,000, codes and a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.continuous = ToyContinuousEncoder()

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        latent = self.continuous(video)[0]
        indices = ((latent.mean(1).clamp(-1, 1) + 1) / 2 * 63_999).round().int()
        return indices, latent.repeat(1, 2, 1, 1, 1), torch.zeros(1)


class ToyDiscreteDecoder(nn.Module):
    """Takes the indices."""

    def __init__(self) -> None:
        super().__init__()
        self.continuous = ToyContinuousDecoder()

    def forward(self, indices: Tensor) -> Tensor:
        latent = indices.unsqueeze(1).expand(-1, 3, -1, -1, -1) / 63_999 * 2 - 1
        return self.continuous(latent)
