"""What a run shows on the terminal: two bars that fit 80 columns, with the time left, and plain lines elsewhere."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from toklab.bench.execution.pace import Pace, clock_text
from toklab.bench.execution.progress import Progress
from toklab.bench.execution.session import listener
from toklab.bench.execution.terminal_progress import ErrorProgress, TerminalProgress

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG = "vidtok-small-fsq-262144 (posterior=sample, seed=3) \x1b[31m"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def cell(label: str, dataset: str = "a folder with a long name") -> Any:
    return SimpleNamespace(label=label, dataset=dataset)


def record(label: str, status: str = "finished", reason: str = "", hint: str = "", **unavailable: Any) -> Any:
    return SimpleNamespace(label=label, status=status, reason=reason, hint=hint, unavailable=unavailable)


def drawn(progress: TerminalProgress) -> list[str]:
    """The bars as they stand now, each line as wide as the terminal has room for."""
    file = io.StringIO()
    Console(file=file, width=progress.console.width).print(progress._bars.get_renderable())
    return [line.rstrip() for line in file.getvalue().splitlines()]


def on_terminal(width: int, clock: Clock) -> TerminalProgress:
    console = Console(file=Terminal(), width=width, force_terminal=True, legacy_windows=False)
    return TerminalProgress(console, clock)


def test_bars_of_cell_and_run_fit_80_columns_with_the_time_left() -> None:
    clock = Clock()
    with on_terminal(80, clock) as progress:
        progress.start(cell(LONG), 1, 4, windows=12, done=0, videos=6)
        assert not any("left" in line for line in drawn(progress))
        for _ in range(3):
            clock.now += 10
            progress.advance(1, 0)
        of_cell, of_run = drawn(progress)
        assert "1/4 vidtok-small" in of_cell
        assert of_cell.endswith("3/12 windows 1:30 left")
        # A quarter of one of four tokenizers took 30 s.
        assert of_run.startswith("whole run")
        assert of_run.endswith("0/4 done 7:30 left")
        clock.now += 4
        progress.advance(1, 1)
        assert drawn(progress)[0].endswith("4/12 windows, 1 failed 1:08 left")
        progress.start(cell("short"), 2, 4, windows=123_456, done=0, videos=1_234)
        clock.now += 3600
        progress.advance(1_234, 1_234)
        assert all(cell_len(line) <= 80 for line in drawn(progress))
        assert "1,234/123,456 windows, 1,234 failed" in drawn(progress)[0]


def test_what_was_there_already_counts_as_done_and_takes_no_time() -> None:
    clock = Clock()
    progress = on_terminal(100, clock)
    # The first two were finished by an earlier process; half of the third is there.
    progress.start(cell("c"), 3, 4, windows=10, done=5, videos=10)
    assert drawn(progress)[0].endswith("5/10 windows")
    clock.now += 20
    progress.advance(1, 0)
    of_cell, of_run = drawn(progress)
    assert of_cell.endswith("6/10 windows 1:20 left")
    # A tenth of a tokenizer took 20 s; 1.4 are left.
    assert of_run.endswith("2/4 done 4:40 left")


def test_one_tokenizer_has_one_bar() -> None:
    progress = on_terminal(80, Clock())
    progress.start(cell("c"), 1, 1, windows=1, done=0, videos=1)
    assert len(drawn(progress)) == 1


def test_after_the_last_window_the_time_left_is_unknown() -> None:
    clock = Clock()
    progress = on_terminal(80, clock)
    progress.start(cell("c"), 2, 2, windows=1, done=0, videos=1)
    clock.now += 1
    progress.advance(1, 0)
    progress.finish(record("c"))
    (line,) = drawn(progress)
    assert line.startswith("windows done: timing, records")
    assert "left" not in line


@pytest.mark.parametrize("force_color", [False, True])
def test_without_a_terminal_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch, force_color: bool) -> None:
    """``FORCE_COLOR``, which many CI systems set, asks for colours; a bar would fill the log."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if force_color:
        monkeypatch.setenv("FORCE_COLOR", "1")
    else:
        monkeypatch.delenv("FORCE_COLOR", raising=False)
    file = io.StringIO()
    with TerminalProgress(Console(file=file, width=80)) as progress:
        progress.start(cell(LONG), 1, 2, windows=12, done=3, videos=1)
        progress.advance(9, 1)
        progress.message("out of memory at 8 windows a batch: going on with 4 \x1b[2J")
        progress.finish(record("c", lpips=("no weights", "toklab weights pull lpips-vgg")))
    said = file.getvalue()
    assert not re.search(r"[\r\x07]|\x1b\[\??[0-9]*[A-HJKSThl]", said)
    assert ("\x1b" in said) == force_color
    lines = CONTROL.sub("", said).splitlines()
    assert lines == [
        "1/2 vidtok-small-fsq-262144 (posterior=sample, seed=3) \\x1b[31m on a folder with a long name: "
        "12 windows of 1 video, 3 there already",
        "out of memory at 8 windows a batch: going on with 4 \\x1b[2J",
        "lpips is unavailable: no weights; to fix it: toklab weights pull lpips-vgg",
    ]


def test_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with listener("errors") as progress:
        hears_all(progress)
    captured = capsys.readouterr()
    assert captured.err == "can't run c: no checkpoint\n    fetch it\n"
    assert captured.out == ""


def test_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with listener("nothing") as progress:
        hears_all(progress)
    assert capsys.readouterr() == ("", "")


def hears_all(progress: Progress) -> None:
    progress.start(cell("c"), 1, 1, windows=1, done=0, videos=1)
    progress.advance(1, 1)
    progress.message("something")
    progress.finish(record("c", "failed", "no checkpoint", "fetch it", lpips=("no weights", "pull")))


def test_every_listener_hears_what_a_progress_hears() -> None:
    named = {name for name in vars(Progress) if not name.startswith("_")}
    for kind in (ErrorProgress, TerminalProgress):
        assert all(callable(getattr(kind, name)) for name in named)


def test_a_pace_counts_down_between_steps_and_forgets_what_took_no_time() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.total = 10
    assert pace.remaining is None
    pace.skip_to(6)
    assert pace.remaining is None
    clock.now += 8
    pace.reach(8)
    assert pace.remaining == 8
    clock.now += 3
    assert pace.remaining == 5
    pace.skip_to(4)
    assert pace.remaining == 5
    # Longer than expected: that no time is left would be wrong.
    clock.now += 100
    assert pace.remaining is None
    pace.reach(10)
    assert pace.remaining == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3753, "1:02:33"), (360000, "100:00:00")]
)
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
