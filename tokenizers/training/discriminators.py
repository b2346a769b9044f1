"""Networks that tell patches of clips from patches of reconstructions."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..networks.distributed import is_distributed, mean_over_processes

DiscriminatorKind = Literal["small-3d", "patch-2d", "patch-3d"]

SLOPE = 0.2
"""Of the leaky rectifiers, for values below 0."""
WEIGHT_DEVIATION = 0.02
"""Standard deviation of the first weights of a PatchGAN."""
MAX_WIDENING = 8
"""A PatchGAN's layers have at most this many times the channels of the first one."""


class SmallDiscriminator(nn.Sequential):
    """A small 3-D patch discriminator (Isola et al. 2017, arXiv:1611.07004, in three dimensions).

    (B, 3, T, H, W) to (B, 1, about T/4, H/8, W/8). No norms: they would tie the clips of a batch together.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 16):
        super().__init__(
            nn.Conv3d(3, width, 3, (1, 2, 2), 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(width, 2 * width, 3, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(2 * width, 4 * width, 3, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(4 * width, 1, 3, 1, 1),
        )


class PatchDiscriminator(nn.Module):
    """The PatchGAN of VidTok's trainings under its official state-dict names, for frames or for clips.

    Frames (``dims`` of 2): (B, 3, T, H, W) to (B · T, 1, h, w), each frame by itself; kernels of 4×4. Clips: to
    (B, 1, t, h, w); kernels of 3×3×3, and the first two layers halve time, too. ``num_layers`` layers halve height and
    width. All layers but the first and the last have a batch norm; its statistics are those of all processes.

    Args:
        dims: 2 or 3.
        width: channels of the first layer; VidTok's has 64.
        num_layers: layers that halve; VidTok's has 3, and 2.77 million parameters.
    """

    def __init__(self, dims: Literal[2, 3], width: int = 64, num_layers: int = 3):
        super().__init__()
        self.dims = dims
        conv: type[Any] = nn.Conv2d if dims == 2 else nn.Conv3d
        kernel = 4 if dims == 2 else 3
        layers: list[nn.Module] = [conv(3, width, kernel, 2, 1), nn.LeakyReLU(SLOPE)]
        channels = width
        for index in range(1, num_layers + 1):
            wider = width * min(2**index, MAX_WIDENING)
            stride = 1 if index == num_layers else 2 if dims == 2 or index == 1 else (1, 2, 2)
            layers += [
                conv(channels, wider, kernel, stride, 1, bias=False),
                ProcessBatchNorm(wider),
                nn.LeakyReLU(SLOPE),
            ]
            channels = wider
        self.main = nn.Sequential(*layers, conv(channels, 1, kernel, 1, 1))
        self.apply(_draw_first_weights)

    def forward(self, video: Tensor) -> Tensor:
        """Logits of patches of (B, 3, T, H, W)."""
        return self.main(video.transpose(1, 2).flatten(0, 1) if self.dims == 2 else video)


class ProcessBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over (B, C, …) whose statistics are those of the batches of all processes together.

    Unlike torch's ``SyncBatchNorm``, it works on CPUs, too. Every process has as many values. State-dict keys are those
    of ``BatchNorm2d``.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, …) to the same shape."""
        if not (self.training and is_distributed()):
            return super().forward(input)
        axes, shape = [0, *range(2, input.ndim)], [1, -1] + [1] * (input.ndim - 2)
        values = input.float()
        mean = mean_over_processes(values.mean(axes))
        centred = values - mean.view(shape)
        variance = mean_over_processes(centred.square().mean(axes))
        self._follow(mean.detach(), variance.detach(), values.numel() // len(mean))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, num_values: int) -> None:
        """Move the running statistics, whose variance is the unbiased one, as torch's do."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        total = num_values * torch.distributed.get_world_size()
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (total / max(1, total - 1)), self.momentum)
        self.num_batches_tracked += 1

    def _check_input_dim(self, input: Tensor) -> None:
        return


def build_discriminator(kind: DiscriminatorKind, width: int, num_layers: int) -> nn.Module:
    """A discriminator of freshly drawn weights: clips (B, 3, T, H, W) in [-1, 1] to logits (N, 1, …)."""
    if kind == "small-3d":
        return SmallDiscriminator(width)
    return PatchDiscriminator(2 if kind == "patch-2d" else 3, width, num_layers)


def _draw_first_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of norms from N(1, 0.02) with no bias; biases of convolutions stay as drawn."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.normal_(module.weight, 0.0, WEIGHT_DEVIATION)
    elif isinstance(module, ProcessBatchNorm):
        nn.init.normal_(module.weight, 1.0, WEIGHT_DEVIATION)
        nn.init.zeros_(module.bias)
