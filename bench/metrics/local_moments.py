"""Weighted means around each position, of the sum and the difference of two pictures and of their squares.

What structural similarity is made of: with s = x + y and d = x − y, 2 (x² + y²) is s² + d², and 4 x y is s² − d². So
equal pictures have a similarity of exactly 1, whatever is rounded. The window is separable. A filter of n taps along
one axis is a product with a banded matrix. The band is cut into square blocks with n − 1 more columns, so that few of
the multiplied numbers are zeros. On a CPU, pictures are taken in strips of some rows that stay in the processor's
caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

STRIP_ROWS = 32
"""Rows of a strip on a CPU."""
BLOCK = 8
"""Outputs of a block of the banded matrix on a CPU."""
ROW_PADDING = 8
"""Numbers between rows that are read as columns: rows a power of two apart would share one place in the cache."""
NUM_MOMENTS = 4


@dataclass(frozen=True)
class Moments:
    """Weighted means around each position of a strip, float64, (columns, channels · rows) each.

    They are overwritten when the next strip is asked for, and may be overwritten before.
    """

    sums: Tensor
    """Of s = x + y."""
    differences: Tensor
    """Of d = x − y."""
    squared_sums: Tensor
    """Of s²."""
    squared_differences: Tensor
    """Of d²."""
    spare: tuple[Tensor, Tensor]
    """Memory of the same shape, to write to."""


class LocalMoments:
    """Filters pictures of one size; holds the memory that it works in, and no thread may share it with another."""

    def __init__(self, taps: Tensor, num_channels: int, height: int, width: int):
        """Set up the filter.

        Args:
            taps: of the window along either axis, float64, on the device of the pictures; their sum is 1.
            num_channels: of a picture.
            height: of a picture, at least as many pixels as there are taps.
            width: likewise.
        """
        self._border = len(taps) - 1
        self._out_height, self._out_width = height - self._border, width - self._border
        on_cpu = taps.device.type == "cpu"
        # Other devices are slowed by many small steps more than by zeros.
        self._strip_rows = min(STRIP_ROWS, self._out_height) if on_cpu else self._out_height
        self._row_block = min(BLOCK, self._strip_rows) if on_cpu else self._out_height
        self._column_block = min(BLOCK, self._out_width) if on_cpu else self._out_width
        self._row_band = _band(taps, self._row_block)
        self._column_band = _band(taps, self._column_block)
        maps, rows = NUM_MOMENTS * num_channels, self._strip_rows
        self._pixels = taps.new_empty(rows + self._border, NUM_MOMENTS, num_channels, width)
        self._filtered = taps.new_empty(rows, maps * width + ROW_PADDING)[:, : maps * width]
        self._turned = taps.new_empty(width * maps * rows)
        self._moments = taps.new_empty(self._out_width * maps * rows)

    @property
    def num_positions(self) -> int:
        """Positions of the window in a picture."""
        return self._out_height * self._out_width

    def strips(self, x: Tensor, y: Tensor) -> Iterator[Moments]:
        """The moments of two pictures (C, H, W) of any floating type, with 1 added to each of their numbers."""
        for top in range(0, self._out_height, self._strip_rows):
            num_rows = min(self._strip_rows, self._out_height - top)
            yield self._strip(x[:, top : top + num_rows + self._border], y[:, top : top + num_rows + self._border])

    def _strip(self, x: Tensor, y: Tensor) -> Moments:
        num_channels, height, width = x.shape
        rows = height - self._border
        pixels = self._pixels[:height]
        sums, differences, squared_sums, squared_differences = pixels.unbind(1)
        squared_sums.copy_(x.transpose(0, 1))
        squared_differences.copy_(y.transpose(0, 1))
        torch.add(squared_sums, squared_differences, out=sums).add_(2)
        torch.sub(squared_sums, squared_differences, out=differences)
        torch.mul(pixels[:, :2], pixels[:, :2], out=pixels[:, 2:])

        filtered = self._filtered[:rows]
        _filter(self._row_band, pixels.flatten(1), filtered)
        turned = self._turned[: width * NUM_MOMENTS * num_channels * rows].view(width, -1, rows)
        turned.copy_(filtered.unflatten(1, (-1, width)).permute(2, 1, 0))
        moments = self._moments[: self._out_width * turned[0].numel()].view(self._out_width, -1)
        _filter(self._column_band, turned.flatten(1), moments)
        # What was turned is done with.
        spare = turned.view(-1)[: moments.numel() // 2].view(2, self._out_width, -1)
        sums, differences, squared_sums, squared_differences = moments.unflatten(1, (NUM_MOMENTS, -1)).unbind(1)
        return Moments(sums, differences, squared_sums, squared_differences, (spare[0], spare[1]))


def _band(taps: Tensor, num_rows: int) -> Tensor:
    """(rows, rows + taps − 1): the taps on as many diagonals."""
    matrix = taps.new_zeros(num_rows, num_rows + len(taps) - 1)
    for offset, tap in enumerate(taps):
        matrix.diagonal(offset).fill_(tap)
    return matrix


def _filter(band: Tensor, rows: Tensor, out: Tensor) -> None:
    """Filter along the first axis, (n + taps − 1, …) to (n, …), in blocks of as many outputs as the band has rows."""
    block, num_inputs = band.shape
    border, num_blocks = num_inputs - block, len(out) // block
    whole = num_blocks * block
    if rows.is_contiguous() and out.is_contiguous() and num_blocks > 0:
        row = rows.shape[1]
        overlapping = rows.as_strided((num_blocks, num_inputs, row), (block * row, row, 1))
        torch.bmm(band.expand(num_blocks, -1, -1), overlapping, out=out[:whole].view(num_blocks, block, row))
    else:
        for start in range(0, whole, block):
            torch.mm(band, rows[start : start + num_inputs], out=out[start : start + block])
    if rest := len(out) - whole:
        torch.mm(band[:rest, : rest + border], rows[whole:], out=out[whole:])
