"""What official codes do with clips too long or too large for one pass: chunks that share a frame, tiles that overlap.

These are the models' own rules, and results depend on them; :mod:`toklab.tokenizers.tiling` is toklab's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...streaming import regroup


class Chunk(NamedTuple):
    """A part of a clip."""

    values: Tensor
    """(B, C, T, H, W); all but the first chunk begin with the last frame of the one before."""
    starts: bool
    """Whether it is the first."""
    ends: bool
    """Whether it is the last."""


def overlapping_chunks(pieces: Iterable[Tensor], stride: int, multiple: int = 1) -> Iterator[Chunk]:
    """Cut a clip into chunks of ``stride`` + 1 frames that share one frame with the next; the last may be shorter.

    Args:
        pieces: (B, C, T, H, W) of one clip, of any T ≥ 1.
        stride: frames from one chunk's start to the next's, a multiple of ``multiple``; 0: the clip is one chunk.
        multiple: the last frame is repeated up to 1 + n · ``multiple`` frames in all.
    """
    if not stride:
        pieces = [torch.cat(list(pieces), 2)]
        stride = pieces[0].shape[2]
    shared: Tensor | None = None
    for block, starts, ends in regroup(pieces, stride + 1, stride):
        missing = (starts - block.shape[2]) % multiple
        if missing:
            block = torch.cat([block, block[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)
        yield Chunk(block if shared is None else torch.cat([shared, block], 2), starts, ends)
        shared = block[:, :, -1:]


def run_chunks(run: Callable[[Chunk], Tensor], chunks: Iterable[Chunk]) -> Iterator[Tensor]:
    """Apply ``run`` to every chunk, and drop the output frame that belongs to the shared one."""
    for chunk in chunks:
        output = run(chunk)
        yield output if chunk.starts else output[:, :, 1:]


@dataclass(frozen=True)
class OfficialTiling:
    """Square tiles whose overlaps are blended from left to right and from top to bottom."""

    size: int
    """Side of a tile, in positions of the input."""
    stride: int
    """Positions of the input from one tile to the next."""
    output_stride: int
    """The same in positions of the output."""
    output_overlap: int
    """Positions of the output over which a tile fades into the next."""
    stops_at_border: bool
    """Whether the first tile that reaches the border is the last; else every multiple of the stride starts one."""

    def starts(self, length: int) -> list[int]:
        """First positions of the tiles along a side of ``length`` positions."""
        starts = list(range(0, length, self.stride))
        if self.stops_at_border:
            return [start for start in starts if start == 0 or start - self.stride + self.size < length]
        return starts

    def run(self, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Apply ``run`` to every tile of ``x`` (B, C, T, H, W), and join what comes out."""
        above: list[Tensor] = []
        rows: list[Tensor] = []
        row_starts, column_starts = self.starts(x.shape[3]), self.starts(x.shape[4])
        for row in row_starts:
            tiles: list[Tensor] = []
            for index, column in enumerate(column_starts):
                tile = run(x[..., row : row + self.size, column : column + self.size])
                if above:
                    tile = _fade(above[index], tile, self.output_overlap, 3)
                if tiles:
                    tile = _fade(tiles[-1], tile, self.output_overlap, 4)
                tiles.append(tile)
            above = tiles
            rows.append(self._join(tiles, 4))
        return self._join(rows, 3)

    def _join(self, parts: list[Tensor], axis: int) -> Tensor:
        cut = [part.narrow(axis, 0, min(self.output_stride, part.shape[axis])) for part in parts[:-1]]
        return torch.cat([*cut, parts[-1]], axis)


def _fade(before: Tensor, after: Tensor, overlap: int, axis: int) -> Tensor:
    """``after``, its first positions blended with the last ones of ``before``, whose weight falls linearly from 1."""
    overlap = min(before.shape[axis], after.shape[axis], overlap)
    shape = [1] * after.ndim
    shape[axis] = overlap
    weight = (torch.arange(overlap, device=after.device) / max(1, overlap)).to(after.dtype).view(shape)
    ending = before.narrow(axis, before.shape[axis] - overlap, overlap)
    start, rest = after.split([overlap, after.shape[axis] - overlap], axis)
    return torch.cat([ending * (1 - weight) + start * weight, rest], axis)
