"""3×3 convolutions of pictures with a quarter of the multiplications, for float32 inference on CPUs.

Winograd's minimal filtering F(4, 3) along both axes gives 16 outputs from 36 products where the definition takes 144.
See Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), §4.3. Rounding errors are about ten
times those of the definition: too large for a tokenizer that is compared with its official code, small enough for
features whose distances are averaged over a picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .winograd import KERNEL_TRANSFORM, TILE, suits, transform_input, transform_output

NUM_FACTORS = 6
"""Along each axis of a tile."""
MIN_CHANNELS = 128
"""Below this, the additions cost more than the products they replace."""
STRIP_NUMBERS = 2**15
"""Tiles times channels of a strip, so that its 36 factors and products stay in the processor's caches."""
MIN_STRIP_TILES = 64
"""With fewer tiles, reading the kernels would take longer than multiplying by them."""


def suits_squares(x: Tensor, in_channels: int, out_channels: int) -> bool:
    """Whether the fast form is faster for ``x``: float32 on a CPU, without gradients, with many channels."""
    return min(in_channels, out_channels) >= MIN_CHANNELS and suits(x, in_channels, out_channels)


def transform_square_kernel(weight: Tensor) -> Tensor:
    """What stands for ``weight`` (O, I, 3, 3): (6, 6, I, O), by factor along a row and by factor along a column."""
    factors = torch.tensor(KERNEL_TRANSFORM, dtype=torch.float64, device=weight.device)
    return torch.einsum("bx,ay,oiyx->baio", factors, factors, weight.double()).to(weight.dtype).contiguous()


def convolve_squares(x: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Convolve pictures with zeros around them, and set what is negative to zero, as a ReLU does.

    Args:
        x: (N, H, W, I).
        kernels: as :func:`transform_square_kernel` gives them.
        bias: (O,).

    Returns:
        (N, H, W, O).
    """
    N, H, W, C = x.shape
    num_rows, num_columns = -(-H // TILE), -(-W // TILE)
    result = x.new_empty(N, H, W, len(bias))
    for pictures, rows in _strips(N, num_rows, num_columns, max(C, len(bias))):
        part = x[pictures]
        strip = _convolve_strip(part, rows, num_columns, kernels, bias)
        top, bottom = rows.start * TILE, min(rows.stop * TILE, H)
        torch.clamp_min(strip[:, : bottom - top, :W], 0, out=result[pictures, top:bottom])
    return result


def _strips(num_pictures: int, num_rows: int, num_columns: int, num_channels: int) -> Iterator[tuple[slice, slice]]:
    """Pictures and rows of tiles, strip after strip: several pictures where they are small."""
    num_tiles = max(MIN_STRIP_TILES, STRIP_NUMBERS // num_channels)
    pictures = max(1, num_tiles // (num_rows * num_columns))
    rows = min(num_rows, max(1, num_tiles // num_columns))
    for first in range(0, num_pictures, pictures):
        for top in range(0, num_rows, rows):
            yield slice(first, min(first + pictures, num_pictures)), slice(top, min(top + rows, num_rows))


def _convolve_strip(x: Tensor, rows: slice, num_columns: int, kernels: Tensor, bias: Tensor) -> Tensor:
    """Rows of tiles of the convolution, (N, 4 rows, 4 columns, O)."""
    N, C, num_rows = len(x), x.shape[-1], rows.stop - rows.start
    padded = _padded_rows(x, rows, num_columns)

    by_row = padded.unflatten(1, (num_rows + 1, TILE))
    factors = x.new_empty(NUM_FACTORS, N, num_rows, padded.shape[2], C)
    transform_input(_six(by_row, 1), factors.unbind(0))
    by_column = factors.unflatten(3, (num_columns + 1, TILE))
    factors = x.new_empty(NUM_FACTORS, NUM_FACTORS, N, num_rows, num_columns, C)
    transform_input(_six(by_column, 3), factors.unbind(0))

    products = torch.bmm(factors.view(NUM_FACTORS**2, -1, C), kernels.view(NUM_FACTORS**2, C, -1))
    # The product at (1, 1) is the one that all outputs of a tile contain once.
    products[NUM_FACTORS + 1].add_(bias)
    products = products.view(NUM_FACTORS, NUM_FACTORS, N, num_rows, num_columns, -1)
    halfway = products.new_empty(TILE, *products.shape[1:])
    transform_output(products.unbind(0), halfway.unbind(0))
    result = products.new_empty(N, num_rows, TILE, num_columns, TILE, products.shape[-1])
    transform_output(halfway.unbind(1), result.permute(2, 4, 0, 1, 3, 5).unbind(0))
    return result.flatten(3, 4).flatten(1, 2)


def _padded_rows(x: Tensor, rows: slice, num_columns: int) -> Tensor:
    """The pixels that rows of tiles see, zeros beyond the picture: (N, 4 rows + 4, 4 columns + 4, C)."""
    N, H, W, C = x.shape
    padded = x.new_empty(N, TILE * (rows.stop - rows.start + 1), TILE * (num_columns + 1), C)
    first = TILE * rows.start - 1
    start, stop = max(first, 0), min(first + padded.shape[1], H)
    padded[:, : start - first] = 0
    padded[:, stop - first :] = 0
    inside = padded[:, start - first : stop - first]
    inside[:, :, 0] = 0
    inside[:, :, W + 1 :] = 0
    inside[:, :, 1 : W + 1] = x[:, start:stop]
    return padded


def _six(tiles: Tensor, dim: int) -> list[Tensor]:
    """The six inputs of each tile along an axis that is cut into tiles, one more than are wanted, by their pixels."""
    num_tiles = tiles.shape[dim] - 1
    near, far = tiles.narrow(dim, 0, num_tiles), tiles.narrow(dim, 1, num_tiles)
    return [near.select(dim + 1, tap) for tap in range(TILE)] + [far.select(dim + 1, tap) for tap in range(2)]
