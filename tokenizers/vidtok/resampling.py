"""Halving and doubling of space and of time, on (B, T, H, W, C)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.kernels.cubic import cubic_conv
from ..networks.kernels.folding import Phases, fold_taps
from ..networks.kernels.inference import infers_on_cpu
from ..networks.kernels.strips import strip_kernels
from ..networks.kernels.winograd import DerivedWeight, transform_kernel
from .config import VidTokConfig
from .context import TimeContext
from .joint_upsampling import join_kernels, upsample_jointly
from .layers import CausalConv, SpatialConv, conv2d, prepend, temporal_conv3d

CENTRED_PHASES: Phases = (((0,), (1, 2)), ((0, 1), (2,)))
"""Which taps of a centred kernel of 3 fall on which of two neighbours, for even and odd outputs of a doubling."""
CAUSAL_PHASES: Phases = (((0, 1), (2,)), ((0,), (1, 2)))
"""The same for a causal kernel; both phases then see the frame before and the frame itself."""

CAUSAL_TAP_FRAMES = ((-1, -1, 0), (-1, 0, 0))
"""Which frame, relative to its own, each tap of a causal kernel falls on for even and odd outputs of a doubling."""
CENTRED_TAP_FRAMES = ((-1, 0, 0), (0, 0, 1))
"""The same for a centred kernel."""
INITIAL_MIX_FACTOR = 2.0
"""The blend starts at sigmoid(2) = 0.88 for the branch without weights."""


class SpatialDownsample(nn.Module):
    """A 3×3 convolution of stride 2 on each frame, one row and column of zeros beyond its last ones."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to (B, T, ⌊H/2⌋, ⌊W/2⌋, C)."""
        if not infers_on_cpu(x):
            return self._convolve_padded(F.pad(x, (0, 0, 0, 1, 0, 1)))
        B, T, H, W, C = x.shape
        padded = x.new_zeros(1, 1, H + 1, W + 1, C)
        out = x.new_empty(B * T, H // 2, W // 2, C)
        for frame, result in zip(x.flatten(0, 1), out, strict=True):
            padded[0, 0, :H, :W] = frame
            result.copy_(self._convolve_padded(padded)[0, 0])
        return out.unflatten(0, (B, T))

    def _convolve_padded(self, x: Tensor) -> Tensor:
        return conv2d(x, self.conv.weight, self.conv.bias, stride=2)


class SpatialUpsample(nn.Module):
    """Every pixel repeated to 2×2, then a 3×3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = SpatialConv(channels, channels, 3)
        self._folded = DerivedWeight(_fold_pixels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to (B, T, 2H, 2W, C)."""
        if not x.is_meta:
            return self._from_phases(x)
        B, T, H, W, C = x.shape
        repeated = x[:, :, :, None, :, None].expand(B, T, H, 2, W, 2, C).reshape(B, T, 2 * H, 2 * W, C)
        return self.conv(repeated)

    def _from_phases(self, x: Tensor) -> Tensor:
        """The same without the repeated pixels, whose weights are added up: four 2×2 kernels for 4/9 of the work.

        Row 2i of the result sees rows i − 1 and i of ``x``, row 2i + 1 sees i and i + 1; columns likewise.
        """
        B, T, H, W, C = x.shape
        weight = self._folded(self.conv.weight)
        bias = None if self.conv.bias is None else self.conv.bias.repeat(4)
        out = x.new_empty(B, T, H, 2, W, 2, C)
        num_frames = 1 if infers_on_cpu(x) else T
        for start in range(0, T, num_frames):
            frames = slice(start, start + num_frames)
            y = conv2d(x[:, frames], weight, bias, padding=1)
            for phase, channels in enumerate(y.split(C, -1)):
                row, column = divmod(phase, 2)
                out[:, frames, :, row, :, column] = channels[:, :, row : row + H, column : column + W]
        return out.view(B, T, 2 * H, 2 * W, C)


class TimeDownsample(nn.Module):
    """Time halved by an average of three frames, blended with a 3×3×3 convolution of stride 2."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([INITIAL_MIX_FACTOR]))
        conv = nn.Conv3d(channels, channels, 3, stride=(2, 1, 1))
        self.conv = CausalConv(conv) if config.causal else conv
        self._kernels = DerivedWeight(transform_kernel)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, ⌊T/2⌋, H, W, C); a merged pass takes an odd T to (T + 1) / 2."""
        if isinstance(self.conv, CausalConv):
            conv = self.conv.conv
            num_past = context.downsampling_overlap
            x = prepend(context.past(self, x, num_past), x, num_past)
        else:
            conv = self.conv
            x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, 1))
        convolved = cubic_conv(x, conv.weight, conv.bias, self._kernels, stride=2)
        num_frames = convolved.shape[1]
        taps = (x[:, tap : tap + 2 * num_frames - 1 : 2] for tap in range(3))
        average = sum(taps, start=torch.zeros((), dtype=x.dtype, device=x.device)) / 3
        return _blend(convolved, average, self.mix_factor)


class TimeUpsample(nn.Module):
    """Time doubled by repetition or interpolation, blended with a 3×3×3 convolution of the result."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.repeats_zero_padded = config.variant != "causal_v1_1"
        self.linear = config.variant == "causal_v1_1" and config.interpolation_mode == "trilinear"
        self.mix_factor = nn.Parameter(torch.tensor([INITIAL_MIX_FACTOR]))
        self.conv = temporal_conv3d(channels, channels, 3, config.causal)
        self._folded = DerivedWeight(_fold_past_frames if config.causal else _fold_centred_frames)
        self._kernels = DerivedWeight(transform_kernel)
        self._joint = DerivedWeight(partial(join_kernels, present_tap=2 if config.causal else 1))
        self._joint_kernels = DerivedWeight(strip_kernels)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, 2T, H, W, C); a merged pass gives 2T − 1 frames."""
        if self.repeats_zero_padded and not x.is_meta:
            return self._from_phases(x, context)
        doubled = context.interpolate(self, x) if self.linear else context.repeat(x)
        return _blend(self.conv(doubled, context), doubled, self.mix_factor)

    def _from_phases(self, x: Tensor, context: TimeContext) -> Tensor:
        """The same without the repeated frames, whose weights are added up: two taps in time for 2/3 of the work."""
        B, T, H, W, C = x.shape
        causal = isinstance(self.conv, CausalConv)
        conv = self.conv.conv if isinstance(self.conv, CausalConv) else self.conv
        assert isinstance(conv, nn.Conv3d)
        weight = self._folded(conv.weight)
        bias = None if conv.bias is None else conv.bias.repeat(2)
        padded = prepend(context.past(self.conv, x, 1) if causal else None, x, 1)
        if causal:
            phases = cubic_conv(padded, weight, bias, self._kernels).split(C, -1)
        else:
            even, odd = cubic_conv(F.pad(padded, (0, 0, 0, 0, 0, 0, 0, 1)), weight, bias, self._kernels).split(C, -1)
            phases = (even[:, :-1], odd[:, 1:])
        out = x.new_empty(B, T, 2, H, W, C)
        for phase, convolved in enumerate(phases):
            out[:, :, phase] = _blend(convolved, x, self.mix_factor)
        return out.flatten(1, 2)

    def after(self, spatial: SpatialUpsample, x: Tensor, context: TimeContext) -> Tensor:
        """What this gives for ``spatial(x)``, (B, T, H, W, C) to (B, 2T, 2H, 2W, C)."""
        if not (self.repeats_zero_padded and infers_on_cpu(x)):
            return self(spatial(x), context)
        causal = isinstance(self.conv, CausalConv)
        conv = self.conv.conv if isinstance(self.conv, CausalConv) else self.conv
        assert isinstance(conv, nn.Conv3d)
        assert spatial.conv.bias is not None
        assert conv.bias is not None
        kernel = self._joint(spatial.conv.weight, spatial.conv.bias, conv.weight, conv.bias, self.mix_factor)
        past = context.past(self.conv, x, 1) if causal else None
        taps = CAUSAL_TAP_FRAMES if causal else CENTRED_TAP_FRAMES
        return upsample_jointly(x, past, kernel, self._joint_kernels, taps)


def _blend(convolved: Tensor, plain: Tensor, mix_factor: Tensor) -> Tensor:
    """``plain``, the branch without weights, by the share sigmoid(``mix_factor``), and ``convolved`` by the rest."""
    if infers_on_cpu(convolved) and plain.dtype == convolved.dtype:
        # A number is faster than a tensor for every value.
        return torch.lerp(convolved, plain, torch.sigmoid(mix_factor.float()).item())
    # Under autocast the branches may differ in their data type, and lerp wants one.
    dtype = torch.promote_types(convolved.dtype, plain.dtype)
    return torch.lerp(convolved.to(dtype), plain.to(dtype), torch.sigmoid(mix_factor).to(dtype))


def _fold_pixels(weight: Tensor) -> Tensor:
    """Four 2×2 kernels (4 O, I, 2, 2), by row and column of the doubled pixel, for a 3×3 kernel."""
    rows = fold_taps(weight, 2, CENTRED_PHASES)
    kernels = torch.cat([kernel for row in rows for kernel in fold_taps(row, 3, CENTRED_PHASES)])
    return kernels.contiguous(memory_format=torch.channels_last)


def _fold_past_frames(weight: Tensor) -> Tensor:
    return torch.cat(fold_taps(weight, 2, CAUSAL_PHASES)).contiguous(memory_format=torch.channels_last_3d)


def _fold_centred_frames(weight: Tensor) -> Tensor:
    return torch.cat(fold_taps(weight, 2, CENTRED_PHASES)).contiguous(memory_format=torch.channels_last_3d)
