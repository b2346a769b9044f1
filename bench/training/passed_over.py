"""Videos that a training can't use: each is said once and listed in a file, and no flood of them hides the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

FILE_NAME = "passed_over.txt"
MOST_MESSAGES = 10
"""Videos that are named on the screen; the file has all of them."""


class PassedOver:
    """Takes the reasons, from any thread.

    Args:
        folder: of the training, where the list lies; a resumed training goes on with it.
        on_message: takes lines for the user.
    """

    def __init__(self, folder: Path, on_message: Callable[[str], None]):
        self._path = folder / FILE_NAME
        self._on_message = on_message
        self._lock = threading.Lock()
        self._known = set(self._path.read_text(encoding="utf-8").splitlines()) if self._path.is_file() else set()
        self._num_said = 0

    def add(self, reason: str) -> None:
        """Note that a video is passed over."""
        line = " ".join(reason.splitlines())
        with self._lock:
            if line not in self._known:
                self._known.add(line)
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # Several processes append to one file: a short line arrives whole.
                with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(f"{line}\n")
            self._num_said += 1
            number = self._num_said
        if number <= MOST_MESSAGES:
            self._on_message(f"passed over: {line}")
        elif number == MOST_MESSAGES + 1:
            self._on_message(f"more videos are passed over; {self._path} lists all of them")


def num_passed_over(folder: Path) -> int:
    """Videos that the processes of the training in ``folder`` passed over."""
    path = folder / FILE_NAME
    return len(set(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else 0
