"""The memory of a run doesn't grow with the windows of its dataset, but for a few bytes of each in the plan."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from large_ledgers import LargeLedger
from toklab.bench.execution.dataset_windows import DatasetWindows, cut_plans
from toklab.bench.execution.known_windows import KnownWindows
from toklab.bench.ledger.cell_files import CellFiles
from toklab.bench.ledger.ledger import Ledger
from toklab.datasets.interface import VideoSource
from toklab.datasets.protocol import load_protocol
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan


def held_by(make: Callable[[], object]) -> int:
    """Bytes of Python's that what ``make`` gives holds."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = make()
        held = tracemalloc.get_traced_memory()[0] - before
        assert made is not None
        return held
    finally:
        tracemalloc.stop()


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes of Python's that some work takes at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def stand_in_plans(num_videos: int) -> Iterator[SourcePlan]:
    """Videos of 170 frames, ten windows each, as a reader would report them."""
    protocol = load_protocol("vidtok")
    for number in range(num_videos):
        windows = tuple(protocol.windows(170, 30.0, causal=True))
        assert len(windows) == 10
        source = VideoSource(f"video{number:06}.mp4", Path("videos") / f"video{number:06}.mp4")
        yield SourcePlan(source, f"{number:064x}", VideoFacts(170, 30.0, 256, 256, "pyav"), windows)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 30_000])
def test_planned_windows_take_a_few_bytes_each(limit: int | None) -> None:
    def plan(num_videos: int) -> DatasetWindows:
        return DatasetWindows([], cut_plans(stand_in_plans(num_videos), limit), ())

    few, many = held_by(lambda: plan(100)), held_by(lambda: plan(3_000))
    assert plan(3_000).count == 30_000
    # A window alone, with the numbers of its frames, would take 700 bytes.
    assert (many - few) / 29_000 < 150


@pytest.mark.slow
def test_known_windows_take_a_few_bytes_each(tmp_path: Path) -> None:
    held = []
    for num_videos in (10, 310):
        folder = tmp_path / str(num_videos)
        LargeLedger(1, num_videos, 10, num_discrete=0, num_with_features=0).write(folder)
        with Ledger(folder) as ledger:
            (cell,) = ledger.cells()
            held.append(held_by(lambda ledger=ledger, cell=cell: KnownWindows(ledger.columns(cell.cell_id))))
            known = KnownWindows(ledger.columns(cell.cell_id))
            assert len(known) == 10 * num_videos
            row = known["video000003.mp4", 4].row
            assert (row.source, row.window, row.frame_ids[0]) == ("video000003.mp4", 4, 68)
            assert len(known["video000003.mp4", 4].measurements) == 3
    assert (held[1] - held[0]) / 3000 < 300


@pytest.mark.slow
def test_compacting_holds_a_group_of_windows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toklab.bench.ledger.row_groups.GROUP_ROWS", 50)
    peaks = []
    for num_videos in (10, 150):
        folder = tmp_path / str(num_videos)
        made = LargeLedger(1, num_videos, 10, num_discrete=0, num_with_features=0)
        made.write(folder)
        with Ledger(folder, write=True) as ledger:
            (cell,) = ledger.cells()
            rows = ledger.rows(cell.cell_id)
            # Half of the windows are in SQLite again, as of a run that goes on.
            ledger.record(*rows[::2])
            del rows
            peaks.append(peak_of(lambda ledger=ledger, cell=cell: ledger.compact(cell.cell_id)))
            assert len(ledger.columns(cell.cell_id).rows) == 10 * num_videos
            assert CellFiles(folder).present() == [cell.cell_id]
    assert peaks[1] < 2 * peaks[0]
