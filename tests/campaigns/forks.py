"""Forked processes that can be timed out and killed; the parent has imported everything and runs nothing itself."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

SLICE_S = 1.0
"""Seconds that are waited at once."""


@dataclass
class Forked:
    """A child process, and what it says."""

    pid: int
    answers: IO[bytes]
    exit_code: int | None = None
    """Once it has ended and was waited for; negative for a signal."""

    def wait_for_answer(self, seconds: float) -> tuple[str, Any]:
        """The next answer; ``("hang", None)`` after so many seconds, ``("ended", status)`` if there is none left.

        Time in which this process is stopped, as by Ctrl-Z, hardly counts.
        """
        while not select.select([self.answers], [], [], min(SLICE_S, seconds))[0]:
            seconds -= SLICE_S
            if seconds <= 0:
                return "hang", None
        try:
            return "answer", pickle.load(self.answers)
        except (EOFError, pickle.UnpicklingError):
            return "ended", self.end()

    def kill(self) -> None:
        """End the child and all that it started, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for the end, once; the exit code, negative for a signal."""
        if self.exit_code is None:
            self.answers.close()
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code


def fork(task: Callable[[Callable[[Any], None]], None]) -> Forked:
    """Run ``task(say)`` in a child; ``say`` sends an answer to the parent."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        with suppress(OSError):  # the child has done it already, or has ended
            os.setpgid(pid, pid)
        return Forked(pid, os.fdopen(reader, "rb", buffering=0))
    code = 1
    try:
        os.setpgid(0, 0)
        os.close(reader)

        def say(answer: Any) -> None:
            message = pickle.dumps(answer)
            while message:
                message = message[os.write(writer, message) :]

        task(say)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def killed_after(task: Callable[[Callable[[Any], None]], None], seconds: float) -> tuple[bool, list[Any]]:
    """Run a task and kill it after so many seconds; whether it was still at work, and what it had said."""
    child = fork(task)
    said: list[Any] = []
    end = time.monotonic() + seconds
    ended = False
    while not ended and (left := end - time.monotonic()) > 0:
        kind, answer = child.wait_for_answer(left)
        if kind == "answer":
            said.append(answer)
        ended = kind == "ended"
    if ended:
        return False, said
    child.kill()
    while (found := child.wait_for_answer(60.0))[0] == "answer":
        said.append(found[1])
    return True, said
