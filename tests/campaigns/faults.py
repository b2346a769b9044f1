"""What a fault is, and what can come of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Verdict = Literal["survived", "refused", "doubted", "lost row", "wrong", "traceback", "crash", "hang"]

GOOD: tuple[Verdict, ...] = ("survived", "refused", "doubted")
BAD: tuple[Verdict, ...] = ("lost row", "wrong", "traceback", "crash", "hang")


@dataclass(frozen=True)
class Outcome:
    """What came of one fault.

    ``survived``: the result is that of the undisturbed run, or none was due. ``refused``: one clear error.
    ``doubted``: a result that differs from the truth, beside a remark that says it may.
    ``lost row``: what was committed is gone. ``wrong``: a result that differs from the truth, and no error.
    ``traceback``: an error that isn't toklab's own. ``crash``: the process died. ``hang``: no end within the limit.
    """

    verdict: Verdict
    detail: str = ""


class FaultKind(ABC):
    """One kind of fault. Every fault of it follows from its own random generator."""

    name: str
    tried: str
    """What is done, for the table."""
    share: int
    """Parts of the campaign's faults."""
    per_process: int = 1
    """So many faults are tried in one forked process."""

    def prepare(self, folder: Path) -> None:
        """Make, in a process of its own, what all faults of this kind start from; ``folder`` is new."""
        return

    @abstractmethod
    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        """Try one fault.

        Args:
            rng: decides everything.
            folder: what :meth:`prepare` made, not to be changed.
            scratch: an empty folder.
        """
