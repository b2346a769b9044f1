"""Layer-wise tiling: every layer works on one part of the picture at a time, and its parts are put together again.

Unlike tiles that go through a whole network, these change nothing but the order of computation: a convolution's part
comes with the neighbouring pixels it reads, and norms take their statistics from whole frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class LayerTiling:
    """A grid of parts; at every resolution the picture is cut into as many."""

    num_rows: int
    num_columns: int

    @classmethod
    def from_size(cls, height: int, width: int, tile_size: int) -> LayerTiling:
        """The grid whose parts have at most ``tile_size`` pixels a side in frames of ``height`` × ``width``."""
        return cls(-(-height // tile_size), -(-width // tile_size))

    def parts(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of each part of ``height`` × ``width`` positions; none is empty."""
        for rows in _spans(height, self.num_rows):
            for columns in _spans(width, self.num_columns):
                yield rows, columns


def _spans(length: int, number: int) -> list[slice]:
    number = min(number, length)
    borders = [length * index // number for index in range(number + 1)]
    return [slice(start, stop) for start, stop in pairwise(borders)]
