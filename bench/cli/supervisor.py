"""The supervisor of `toklab run`: starts the run as a child process, and starts it again where it ends early.

A child that hangs in a forward pass, or in other code of a tokenizer, metric or dataset, is killed once its time is
over. A child that doesn't say at its end what the run came to has ended early, whatever its exit code. Loads no torch.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..execution.supervision import VARIABLE, Past
from .output import say

POLL_S = 0.2
"""How often the child is looked at while it says nothing: another process may keep its pipe open."""
GRACE_S = 10.0
"""How long a child may take to end after it said what the run came to: a plugin's thread could keep it for ever."""
INTERRUPTED = 130
"""Exit code typer ends with when the user interrupts."""
GO_ON = "give the same command again to go on where it stopped"
"""What is said of a run that isn't done."""

_START = "import json, sys; sys.argv[0], sys.path[:] = json.loads(sys.argv.pop(1)); from {module} import main; main()"


@dataclass
class State:
    """What a child is doing, from the messages of :class:`toklab.bench.execution.supervision.Supervision`."""

    past: Past
    cell: str = ""
    """Number of the cell that it is at; empty before the first and after the last."""
    metric: str = ""
    """The metric whose code runs."""
    step: str = ""
    """What else runs of the code that toklab calls, in words; empty while nothing does."""
    is_timing: bool = False
    """Whether the speed of the cell is measured, after its windows."""
    limit_s: float | None = None
    """Seconds that a forward pass may take."""
    step_limit_s: float | None = None
    """Seconds that a step may take."""
    forward_since: float | None = None
    """When the forward pass began that runs."""
    step_since: float = 0.0
    """When the step began that runs."""
    engine: str = ""
    """Whose workers compute, in words; empty while the child itself does."""
    code: int | None = None
    """Exit code of the run, once it is done."""

    def hear(self, line: bytes) -> None:
        """Take a message; what isn't one, a plugin has written."""
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        for name, value in message.items() if isinstance(message, dict) else ():
            if name == "forward":
                self.forward_since = time.monotonic() if value else None
            elif name == "forward_timeout":
                self.limit_s = value
            elif name == "plugin_timeout":
                self.step_limit_s = value
            elif name == "step":
                self.step, self.step_since = str(value or ""), time.monotonic()
            elif name == "timing":
                self.is_timing = bool(value)
            elif name == "metric":
                self.metric = value or ""
            elif name == "cell":
                self.cell = str(value or "")
            elif name == "settled":
                self.past.settled[self.cell], self.cell = value, ""
            elif name == "engine":
                self.engine = str(value or "")
            elif name == "folder":
                self.past.folder = value
            elif name == "code":
                self.code = value

    @property
    def overdue(self) -> str:
        """What has taken too long, as a reason; empty while nothing has."""
        now = time.monotonic()
        if self.limit_s is not None and self.forward_since is not None and now - self.forward_since > self.limit_s:
            return f"no result after {self.limit_s:g} s"
        if self.step_limit_s is not None and self.step and now - self.step_since > self.step_limit_s:
            return f"{self.step} took more than {self.step_limit_s:g} s (--plugin-timeout)"
        return ""

    def start_clocks_anew(self) -> None:
        """Count only from now on what runs."""
        self.step_since = time.monotonic()
        if self.forward_since is not None:
            self.forward_since = self.step_since

    def blame(self, reason: str) -> str:
        """Note in the past what the child ended in; what is to be said of it, empty if nothing is left to try."""
        number = self.cell
        given_up = self.past.broken_metrics if number else self.past.figureless_metrics
        if self.metric and self.metric not in given_up:
            given_up[self.metric] = reason
            return f"{reason}; going on without the metric {self.metric}"
        if self.is_timing and number and number not in self.past.untimed:
            self.past.untimed[number] = reason
            return f"{reason}; going on without this tokenizer's speed"
        if number and number not in self.past.ended_in:
            self.past.ended_in[number] = reason
            return f"{reason}; going on with the next tokenizer"
        return ""


def supervise() -> int:
    """Run the command line of this process in a child, and return its exit code."""
    past = Past()
    while True:
        state = State(past)
        reason = _Child(state).watch()
        if state.code is not None:
            return state.code
        if not reason:
            say(f"toklab: interrupted; {GO_ON}", err=True)
            return INTERRUPTED
        said = state.blame(reason)
        if not said:
            when = "after the last tokenizer" if past.settled else "before the first tokenizer"
            if state.engine:
                # Whatever ended it, no tokenizer ran in it.
                when = f"while {state.engine} computed"
            say(f"toklab: {reason}, {when}; the run isn't done: {GO_ON}", err=True)
            return 1
        say(f"toklab: {said}", err=True)


class _Child:
    """A process that runs the command, and what it says."""

    def __init__(self, state: State):
        self._state = state
        self._interrupts = 0
        self._rest = b""
        self._events, theirs = os.pipe()
        life, self._life = os.pipe()
        code = _START.format(module=f"{__package__}.main")
        program = json.dumps([sys.argv[0], sys.path])
        # -P: the working directory isn't a place to import from, as it isn't for the command.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, program, *sys.argv[1:]],
            env=os.environ | {VARIABLE: f"{life},{theirs}"},
            pass_fds=(life, theirs),
        )
        os.close(life)
        os.close(theirs)

    def watch(self) -> str:
        """Wait for its end; why it ended if it didn't say what the run came to, empty if the user interrupted it."""
        with self._signals():
            # A child that has ended already says nothing either.
            with suppress(BrokenPipeError):
                os.write(self._life, self._state.past.to_json().encode() + b"\n")
            reason = self._listen()
            self._process.wait()
        os.close(self._life)
        os.close(self._events)
        if self._interrupts:
            return ""
        return reason or _describe_end(self._process.returncode)

    def _listen(self) -> str:
        """Hear what it says until it ends; why it was killed, empty if it wasn't."""
        state, ended_by = self._state, None
        while True:
            ended = self._process.poll() is not None
            if not self._hear(0 if ended else POLL_S) and ended:
                return ""
            if state.code is not None and ended_by is None:
                ended_by = time.monotonic() + GRACE_S
            if ended_by is not None and time.monotonic() > ended_by:
                self._process.kill()
            if (reason := state.overdue) and not ended:
                self._process.kill()
                return reason

    def _hear(self, wait_s: float) -> bool:
        """Take what it has said; whether that was anything."""
        if not select.select([self._events], [], [], wait_s)[0]:
            return False
        part = os.read(self._events, 1 << 16)
        if not part and wait_s:
            # It has closed its end and lives on: there is nothing to wait for in the pipe.
            time.sleep(wait_s)
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._state.hear(line)
        return bool(part)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C interrupts the child, and again kills it; time in which both were stopped doesn't count."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._interrupts += 1
            self._process.send_signal(signal.SIGINT if self._interrupts == 1 else signal.SIGKILL)

        def go_on(number: int, frame: FrameType | None) -> None:
            self._state.start_clocks_anew()

        handlers = {signal.SIGINT: interrupt, signal.SIGCONT: go_on}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _describe_end(code: int) -> str:
    if code >= 0:
        return f"the process ended early, with exit code {code}"
    if -code == signal.SIGKILL:
        return "the process was ended by SIGKILL, perhaps because memory ran out"
    known = {each.value: each.name for each in signal.Signals}
    return f"the process was ended by {known.get(-code, f'signal {-code}')}"
