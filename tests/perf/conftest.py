"""What the benchmarks share."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line that the reader of a benchmark wants, whether it passes or not."""

    def print_line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="")

    return print_line
