"""How many models may be held in memory at once."""

from __future__ import annotations

from collections.abc import Sequence

MEMORY_SHARE = 0.5
"""Of the free memory, models that are held together take at most so much; the rest is for their passes."""
BYTES_PER_PARAMETER = 4


def held_together(sizes: Sequence[float], free: float | None) -> list[list[int]]:
    """Models in few groups that fit into memory, by their places.

    The largest come first, each in the first group that has room. One that is too large is alone.

    Args:
        sizes: of the models, in bytes.
        free: bytes; ``None`` where nobody knows.
    """
    limit = float("inf") if free is None else MEMORY_SHARE * free
    groups: list[list[int]] = []
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        room = next((group for group in groups if sum(sizes[p] for p in [*group, place]) <= limit), None)
        if room is None:
            groups.append([place])
        else:
            room.append(place)
    return [sorted(group) for group in groups]
