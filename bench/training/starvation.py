"""Tells the user when a training waits for its clips."""

from __future__ import annotations

import math
from collections.abc import Callable

from ...datasets.streamed_clips import DecodingPace
from ...tokenizers.training.loop import Progress

STARVED_SHARE = 0.2
"""Share of the time that is spent waiting from which on the user is told."""
FED_SHARE = 0.1
"""Share below which a training is well again, so that the next time is told, too."""
LEAST_STEPS = 10
"""Steps that the shares rest on."""


class StarvationWatch:
    """Looks at every step's progress.

    Args:
        on_message: takes lines for the user.
        pace: what the workers did so far; ``None``: clips come from frames on disk.
    """

    def __init__(self, on_message: Callable[[str], None], pace: Callable[[], DecodingPace] | None):
        self._on_message = on_message
        self._pace = pace
        self._is_starved = False

    def look(self, progress: Progress) -> None:
        """Say so where the device has begun to wait for clips."""
        if progress.num_timed < LEAST_STEPS:
            return
        whole = progress.data_seconds + progress.step_seconds
        share = progress.data_seconds / whole if whole else 0.0
        if share >= STARVED_SHARE and not self._is_starved:
            self._is_starved = True
            self._on_message(self._words(progress, share, whole))
        elif share < FED_SHARE:
            self._is_starved = False

    def _words(self, progress: Progress, share: float, whole: float) -> str:
        text = (
            f"step {progress.step}: the device waits for clips {share:.0%} of the time ({progress.data_seconds:.2f} s "
            f"beside {progress.step_seconds:.2f} s of work a step)"
        )
        if self._pace is None:
            return f"{text}; the disk with the decoded frames, or the CPU, is too slow"
        pace = self._pace()
        wanted = math.ceil(pace.num_workers * whole / progress.step_seconds) if progress.step_seconds else 0
        per_clip = pace.num_decoded / pace.num_frames if pace.num_frames else 0.0
        return (
            f"{text}. {pace.num_workers} workers give {pace.frames_per_second:.0f} frames/s, and decode "
            f"{per_clip:.1f} for each of them; try --workers {wanted}, or smaller videos with more key frames"
        )
