"""WF-VAE's Haar transforms, whose filters are tensors of its checkpoints.

Channels are bands, three colours each. The 3-D filters have coefficients of ±0.3536, so that transform and inverse
together multiply by 1.00026.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COLOURS = 3
COEFFICIENT_3D = 0.3536
COEFFICIENT_2D = 0.5
NAMES_3D = ("h", "g", "hh", "gh", "h_v", "g_v", "hh_v", "gh_v")
"""Bands counted in binary, high (a difference) for low (a sum): T before H before W."""
NAMES_2D = ("aa", "ad", "da", "dd")
"""Bands counted in binary: W before H."""


def _filters_3d() -> Iterator[tuple[str, Tensor]]:
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    for name, (t, h, w) in zip(NAMES_3D, itertools.product(range(2), repeat=3), strict=True):
        product = signs[t][:, None, None] * signs[h][None, :, None] * signs[w][None, None, :]
        yield name, COEFFICIENT_3D * product[None, None]


def _filters_2d() -> Iterator[tuple[str, Tensor]]:
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    for name, (w, h) in zip(NAMES_2D, itertools.product(range(2), repeat=2), strict=True):
        yield name, COEFFICIENT_2D * (signs[h][:, None] * signs[w][None, :])[None, None]


class _Filter(nn.Module):
    """A filter under the official name ``conv.weight``, a parameter that was never trained."""

    def __init__(self, values: Tensor):
        super().__init__()
        self.conv = nn.Module()
        self.conv.weight = nn.Parameter(values, requires_grad=False)


class HaarWavelets(nn.Module):
    """Frames or pairs of frames to bands and back."""

    num_bands: int

    @abstractmethod
    def transform(self, x: Tensor, *, starts: bool = True) -> Tensor:
        """(B, 3, T, H, W) to bands (B, 3 · bands, T', H / 2, W / 2); ``starts``: whether a clip begins there."""

    @abstractmethod
    def inverse(self, bands: Tensor, *, starts: bool = True) -> Tensor:
        """Bands (B, 3 · bands, T, H, W) to (B, 3, T', 2 H, 2 W); ``starts``: whether a clip begins there."""


class HaarWavelets3D(HaarWavelets):
    """Pairs of frames; a copy of the first frame stands before a clip, and is dropped again: 1 + 2 k ↔ 1 + k frames.

    Args:
        nested: whether the filters are called ``NAME_conv.conv.weight``, as in the encoder, rather than ``NAME``.
    """

    num_bands = len(NAMES_3D)

    def __init__(self, *, nested: bool):
        super().__init__()
        self._nested = nested
        for name, values in _filters_3d():
            if nested:
                self.add_module(f"{name}_conv", _Filter(values))
            else:
                self.register_buffer(name, values)

    @property
    def _filters(self) -> Tensor:
        if self._nested:
            return torch.cat([self.get_submodule(f"{name}_conv.conv").weight for name in NAMES_3D])  # pyright: ignore
        return torch.cat([self.get_buffer(name) for name in NAMES_3D])

    def transform(self, x: Tensor, *, starts: bool = True) -> Tensor:
        """(B, 3, 1 + 2 k, H, W) to bands (B, 24, 1 + k, H / 2, W / 2); inside a clip 2 k frames to k."""
        padded = torch.cat([x[:, :, :1], x], 2) if starts else x
        y = F.conv3d(padded.flatten(0, 1).unsqueeze(1), self._filters, stride=2)
        return y.unflatten(0, x.shape[:2]).transpose(1, 2).flatten(1, 2)

    def inverse(self, bands: Tensor, *, starts: bool = True) -> Tensor:
        """Bands (B, 24, 1 + k, H, W) to (B, 3, 1 + 2 k, 2 H, 2 W); inside a clip k to 2 k."""
        by_colour = bands.unflatten(1, (self.num_bands, COLOURS)).transpose(1, 2)
        y = F.conv_transpose3d(by_colour.flatten(0, 1), self._filters, stride=2)
        return y.squeeze(1).unflatten(0, (bands.shape[0], COLOURS))[:, :, int(starts) :]


class HaarWavelets2D(HaarWavelets):
    """Frames, each on its own."""

    num_bands = len(NAMES_2D)

    def __init__(self) -> None:
        super().__init__()
        for name, values in _filters_2d():
            self.register_buffer(name, values)

    @property
    def _filters(self) -> Tensor:
        return torch.cat([self.get_buffer(name) for name in NAMES_2D]).unsqueeze(2)

    def transform(self, x: Tensor, *, starts: bool = True) -> Tensor:
        """(B, 3, T, H, W) to bands (B, 12, T, H / 2, W / 2)."""
        y = F.conv3d(x.flatten(0, 1).unsqueeze(1), self._filters, stride=(1, 2, 2))
        return y.unflatten(0, x.shape[:2]).transpose(1, 2).flatten(1, 2)

    def inverse(self, bands: Tensor, *, starts: bool = True) -> Tensor:
        """Bands (B, 12, T, H, W) to (B, 3, T, 2 H, 2 W)."""
        by_colour = bands.unflatten(1, (self.num_bands, COLOURS)).transpose(1, 2)
        y = F.conv_transpose3d(by_colour.flatten(0, 1), self._filters, stride=(1, 2, 2))
        return y.squeeze(1).unflatten(0, (bands.shape[0], COLOURS))


def standard_filters(model: nn.Module) -> dict[str, Tensor]:
    """The filters of all transforms of a network by their names in its state, for checkpoints that leave them out."""
    found: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, HaarWavelets3D | HaarWavelets2D):
            fresh = HaarWavelets2D() if isinstance(module, HaarWavelets2D) else HaarWavelets3D(nested=module._nested)
            found |= {f"{name}.{key}": value for key, value in fresh.state_dict().items()}
    return found
