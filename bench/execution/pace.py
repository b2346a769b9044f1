"""How fast work goes on, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Estimates the rest of some work from what was done of it so far, steps that cost nothing apart."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._began = clock()
        self._reached = self._skipped = 0.0
        self._at = self._began
        self.total = 0.0
        """All of the work, in any unit."""

    def skip_to(self, place: float) -> None:
        """What lies before ``place`` and wasn't reached took no time: it had been done, or couldn't be."""
        self._skipped += max(0.0, place - self._reached)
        self._reached = max(self._reached, place)

    def reach(self, place: float) -> None:
        """So much is done by now."""
        self._reached, self._at = place, self._clock()

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest takes at the pace up to the last step, less those since.

        ``None`` before a step, and once they are over: then the pace has changed, and nothing is known.
        """
        worked, rest = self._reached - self._skipped, max(0.0, self.total - self._reached)
        if worked <= 0:
            return None
        left = (self._at - self._began) / worked * rest - (self._clock() - self._at)
        return None if left <= 0 < rest else max(0.0, left)


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:34``, ``1:02:33``; days are hours."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
