"""What the process of a run and its supervisor tell each other, in lines of JSON through two pipes.

The run says what it is doing and, at its very end, its exit code: only that code counts. The supervisor first says what
came of earlier processes of the run; then its pipe stays open for as long as it lives. Loads no torch.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

VARIABLE = "TOKLAB_SUPERVISED"
"""Names the two pipes of a supervised process: where it reads, and where it writes."""
BUILDING = "building the model"
"""Step in which a tokenizer's code is imported and its model made."""
PLANNING = "importing packages of cards"
"""Step in which cells are planned."""
PR_SET_PDEATHSIG = 1
"""Asks Linux for a signal when the parent ends: prctl(2)."""


@dataclass
class Past:
    """What came of the run's earlier processes."""

    folder: str = ""
    """The run folder, once it was chosen."""
    settled: dict[str, str] = field(default_factory=dict)
    """Number of each cell that is done, and its identity in the ledger."""
    ended_in: dict[str, str] = field(default_factory=dict)
    """Number of each cell that a process ended in, and why it ended."""
    broken_metrics: dict[str, str] = field(default_factory=dict)
    """Metrics that a process ended in at a cell, and why it ended."""
    figureless_metrics: dict[str, str] = field(default_factory=dict)
    """Metrics that a process ended in outside the cells, while it made the table, and why it ended."""
    untimed: dict[str, str] = field(default_factory=dict)
    """Number of each cell that a process ended in while its speed was measured, and why it ended."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Past:
        """What :meth:`to_json` wrote."""
        found = json.loads(text)
        return cls(**{f.name: found[f.name] for f in fields(cls)})


class Supervision:
    """A run's side of its supervision; without a supervisor it says nothing, and nothing came before."""

    def __init__(self, events: int | None = None, past: Past | None = None):
        """``events``: the file descriptor that the supervisor listens at."""
        self._events = events
        self.past = past or Past()
        self._call = {"step": "", "metric": ""}
        self.is_done = False
        """Whether the run came to its end, whatever that was."""

    @property
    def is_active(self) -> bool:
        """Whether there is a supervisor."""
        return self._events is not None

    @property
    def goes_on(self) -> bool:
        """Whether another process of this run came before."""
        return bool(self.past.folder)

    def tell(self, **message: Any) -> None:
        """Tell the supervisor: see :class:`toklab.bench.cli.supervisor.State` for what it understands."""
        if self._events is not None:
            os.write(self._events, json.dumps(message).encode() + b"\n")

    def forward(self) -> AbstractContextManager[None]:
        """A forward pass runs inside: the supervisor's clock ticks."""
        return self._while("forward", True, False)

    def waiting(self) -> AbstractContextManager[None]:
        """A forward pass waits for its clip inside; its clock starts anew afterwards."""
        return self._while("forward", False, True)

    def timing(self) -> AbstractContextManager[None]:
        """The speed of a cell is measured inside, after its windows."""
        return self._while("timing", True, False)

    @contextmanager
    def step(self, step: str, metric: str = "") -> Iterator[None]:
        """Code that others wrote runs inside, no forward pass: the supervisor's other clock ticks.

        Args:
            step: what runs, in words: ``building the model``.
            metric: whose code it is; empty for a tokenizer's or a dataset's.
        """
        outer, self._call = self._call, {"step": step, "metric": metric}
        self.tell(**self._call)
        try:
            yield
        finally:
            self._call = outer
            self.tell(**outer)

    def metric(self, name: str, step: str) -> AbstractContextManager[None]:
        """A metric's code runs inside; ``step`` is what is called of it."""
        return self.step(step, name)

    @contextmanager
    def _while(self, what: str, inside: Any, afterwards: Any) -> Iterator[None]:
        self.tell(**{what: inside})
        try:
            yield
        finally:
            self.tell(**{what: afterwards})


@cache
def supervision() -> Supervision:
    """This process's side of its supervision. The first call takes the pipes from the environment."""
    named = os.environ.pop(VARIABLE, "")
    if not named:
        return Supervision()
    life, events = map(int, named.split(","))
    for pipe in (life, events):
        os.set_inheritable(pipe, False)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    said = b""
    while not said.endswith(b"\n") and (part := os.read(life, 1 << 16)):
        said += part
    threading.Thread(target=_end_with_supervisor, args=(life,), daemon=True).start()
    return Supervision(events, Past.from_json(said.decode()))


def _end_with_supervisor(life: int) -> None:
    """Wait until the supervisor's end of the pipe closes: nobody would hear what this process comes to."""
    os.read(life, 1)
    os._exit(1)


def absolute(path: Path) -> Path:
    """A path that stays the same wherever plugins change to."""
    return Path(os.path.abspath(path))
