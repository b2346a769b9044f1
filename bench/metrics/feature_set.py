"""Features of the reconstructions and references of the same windows, and the parts of such a set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..statistics.jackknife import source_groups
from .features import Features
from .interface import MeasuredWindow
from .kept_results import KeptResults
from .set_distance import SetDistance
from .sources import sorted_windows
from .window_columns import WindowColumns

NUM_SUBSAMPLES = 8
"""Subsamples whose mean stands for a set that is larger than another one."""
_REFERENCES: KeptResults[Features] = KeptResults(2)


@dataclass(frozen=True)
class FeatureSet:
    """Features of reconstructions and references, in the order of sources, windows and clips of a window."""

    reconstructions: Features
    references: Features
    sources: tuple[str, ...]
    """The source of each feature."""
    keys: tuple[tuple[str, int, int], ...]
    """File, window and clip of each feature; the clip is 0 where a window has one feature."""
    distance_rule: SetDistance

    @classmethod
    def of(cls, windows: Sequence[MeasuredWindow], distance_rule: SetDistance) -> FeatureSet:
        """Of at least one window; all have ``features`` of both, (d,) or one row a clip, (clips, d).

        Raises:
            ValueError: if a window has more clips of its reconstruction than of its reference, or the reverse.
        """
        if isinstance(windows, WindowColumns):
            kept = windows.kept("features", lambda: cls._of(windows, distance_rule))
            return replace(kept, distance_rule=distance_rule)
        return cls._of(windows, distance_rule)

    @classmethod
    def _of(cls, windows: Sequence[MeasuredWindow], distance_rule: SetDistance) -> FeatureSet:
        made: list[np.ndarray] = []
        wanted: list[np.ndarray] = []
        sources: list[str] = []
        keys: list[tuple[str, int, int]] = []
        for window in sorted_windows(windows):
            one, other = (np.atleast_2d(arrays["features"]) for arrays in (window.arrays, window.reference_arrays))
            if one.shape != other.shape:
                raise ValueError(f"{window.key}: features {one.shape} of a reference with {other.shape}")
            made.append(one)
            wanted.append(other)
            sources += [window.source] * len(one)
            keys += [(*window.key, clip) for clip in range(len(one))]
        references = Features(np.concatenate(wanted))
        return cls(
            Features(np.concatenate(made)),
            # All tokenizers of a dataset have the same ones.
            _REFERENCES.get(references.digest, lambda: references),
            tuple(sources),
            tuple(keys),
            distance_rule,
        )

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def num_features(self) -> int:
        """Numbers in a feature, d."""
        return self.references.array.shape[1]

    @property
    def counted(self) -> str:
        """What features are of: whole windows, or clips where a window has several."""
        return "clips" if any(clip for _, _, clip in self.keys) else "windows"

    @property
    def identity(self) -> bytes:
        """Of the features and what they are of."""
        origin = hashlib.sha256(repr((self.sources, self.keys)).encode()).digest()
        return self.reconstructions.digest + self.references.digest + origin

    def part(self, indices: Sequence[int]) -> FeatureSet:
        """Some of the features."""
        chosen = sorted(indices)
        return FeatureSet(
            Features(self.reconstructions.array[chosen]),
            Features(self.references.array[chosen]),
            tuple(self.sources[index] for index in chosen),
            tuple(self.keys[index] for index in chosen),
            self.distance_rule,
        )

    def order(self, draw: int = 0) -> list[int]:
        """The features in an order by hash that is the same on every machine."""

        def digest(index: int) -> bytes:
            _, window, clip = self.keys[index]
            name = f"{draw}:{self.sources[index]}:{window}" + (f":{clip}" if clip else "")
            return hashlib.sha256(name.encode()).digest()

        return sorted(range(len(self)), key=lambda index: (digest(index), self.keys[index]))

    def halves(self) -> tuple[FeatureSet, FeatureSet]:
        """Two disjoint halves of equal size."""
        order, half = self.order(), len(self) // 2
        return self.part(order[:half]), self.part(order[half : 2 * half])

    def subsamples(self, size: int) -> list[FeatureSet]:
        """The set itself where it has that size, else several parts of that size."""
        if len(self) == size:
            return [self]
        return [self.part(self.order(draw)[:size]) for draw in range(NUM_SUBSAMPLES)]

    def distance(self) -> float:
        """The distance between all reconstructions and all references."""
        return self.distance_rule.between(self.reconstructions, self.references)

    def growing(self, draw: int, sizes: Sequence[int]) -> list[float]:
        """The distances of the first features in the order of a draw, for each of some rising numbers of them."""
        order = np.array(self.order(draw), np.int64)
        return self.distance_rule.growing(self.reconstructions, self.references, order, sizes)

    def groups(self, source_names: Sequence[str]) -> tuple[np.ndarray, int]:
        """The group of sources that each feature is in, (N,), and how many groups there are.

        Args:
            source_names: all sources, from which the groups follow; a subset may lack some of them.
        """
        named = source_groups(source_names)
        group_of = dict(zip(source_names, named.tolist(), strict=True))
        groups = np.array([group_of[source] for source in self.sources], dtype=np.int64)
        return groups, int(named.max()) + 1

    def distances_without(self, source_names: Sequence[str]) -> np.ndarray:
        """The distance without each group of sources, (groups,); ``source_names`` as for :meth:`groups`."""
        return self.distance_rule.without(self.reconstructions, self.references, *self.groups(source_names))
