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
        folder: of the training, where the list lies.
        on_message: takes lines for the user.
        goes_on: whether the training is resumed, and goes on with the list that it left.
    """

    def __init__(self, folder: Path, on_message: Callable[[str], None], *, goes_on: bool = False):
        self._path = folder / FILE_NAME
        self._on_message = on_message
        self._lock = threading.Lock()
        self._known = _listed(self._path) if goes_on else set[str]()
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
    return len(_listed(folder / FILE_NAME))


def forget_passed_over(folder: Path) -> None:
    """Remove the list in ``folder``, which a training that came to no checkpoint left there."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def _listed(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()
