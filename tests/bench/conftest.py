"""Fixtures for tests of the runner: small videos, fake tokenizers, and a way to run suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from fake_tokenizers import plugins_variable
from striped_video import write_stripes
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.run_summary import RunSummary
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import CellRecord
from toklab.bench.planning.cell import Cell
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import Suite
from toklab.datasets.readers.worker import DecodeWorker


class SilentProgress:
    """Remembers what is reported to it."""

    def __init__(self) -> None:
        self.windows = 0
        self.failed = 0
        self.messages: list[str] = []
        self.finished: list[CellRecord] = []
        self.done_before: list[int] = []

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int, videos: int) -> None:
        self.done_before.append(done)

    def advance(self, windows: int, failed: int) -> None:
        self.windows += windows
        self.failed += failed

    def message(self, text: str) -> None:
        self.messages.append(text)

    def finish(self, cell: CellRecord) -> None:
        self.finished.append(cell)


@pytest.fixture
def silent_progress() -> SilentProgress:
    """What hears how a run goes, for tests that call the runner themselves."""
    return SilentProgress()


@pytest.fixture
def fake_tokenizers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the fake tokenizers known as plugins."""
    monkeypatch.setenv("TOKLAB_PLUGINS", plugins_variable())


@pytest.fixture(scope="session")
def make_video() -> Callable[[Path, int], Path]:
    """Write a short lossless video of moving stripes."""
    return write_stripes


@pytest.fixture
def video_folder(tmp_path: Path, make_video: Callable[[Path, int], Path]) -> Path:
    """Three videos: 20, 37 and 5 frames, so two, three and one causal windows of 17."""
    folder = tmp_path / "videos"
    for name, num_frames in (("a.mp4", 20), ("b.mp4", 37), ("c.mp4", 5)):
        make_video(folder / name, num_frames)
    return folder


SMALL = {"height": 32, "width": 32}

RunSuite = Callable[..., tuple[RunSummary, SilentProgress]]


@pytest.fixture(scope="session")
def worker() -> Iterator[DecodeWorker]:
    """One decoding process for all runs, as starting one takes seconds."""
    worker = DecodeWorker(600.0)
    yield worker
    worker.close()


@pytest.fixture
def run_suite(fake_tokenizers: None, video_folder: Path, worker: DecodeWorker) -> RunSuite:
    """Run tokenizers, fake or shipped, on a folder of videos at 32×32 into a run folder."""

    def run(
        out: Path,
        tokenizers: tuple[str, ...] = ("average",),
        metrics: tuple[str, ...] = ("psnr", "bpp"),
        settings: dict[str, object] | None = None,
        folder: Path = video_folder,
        protocol_changes: Mapping[str, int] = SMALL,
        protocol: str = "vidtok",
        **options: object,
    ) -> tuple[RunSummary, SilentProgress]:
        suite = Suite.model_validate(
            {
                "name": "test",
                "datasets": (f"folder:{folder}",),
                "protocol": protocol,
                "protocol_changes": protocol_changes,
                "tokenizers": tokenizers,
                "metrics": metrics,
                "settings": settings or {},
            }
        )
        progress = SilentProgress()
        with Ledger(out, write=True) as ledger:
            summary = Runner(ledger, RunOptions(**options), progress, worker=worker).run(plan_cells(suite))  # type: ignore[arg-type]
        return summary, progress

    return run
