"""Whatever is split, fails and is merged in whatever order: a window counts once, and its best outcome counts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import CELL, ROW, all_of
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.ledger.plans import Plan, clip_digest, read_plan, write_plan
from toklab.bench.ledger.records import Measurement

NUM_WINDOWS = 5
KEY = "frame-mse:v1"


@dataclass(frozen=True)
class Part:
    """A run of one shard, in which some windows failed and some couldn't be measured."""

    shard: int
    failed: frozenset[int]
    unmeasured: frozenset[int]
    has_run: frozenset[int]
    """Windows it came to before it was ended."""


WINDOWS = st.frozensets(st.integers(0, NUM_WINDOWS - 1))


@st.composite
def splits(draw: st.DrawFn) -> tuple[int, list[int], list[Part], list[int]]:
    """Number of shards, shard of every window, runs, and an order of them."""
    count = draw(st.integers(1, 3))
    owners = draw(st.lists(st.integers(0, count - 1), min_size=NUM_WINDOWS, max_size=NUM_WINDOWS))
    parts = draw(
        st.lists(st.builds(Part, st.integers(0, count - 1), WINDOWS, WINDOWS, WINDOWS), min_size=1, max_size=4)
    )
    return count, owners, parts, draw(st.permutations(range(len(parts))))


def write(folder: Path, count: int, owners: Sequence[int], part: Part) -> Path:
    own = [window for window, owner in enumerate(owners) if owner == part.shard]
    with Ledger(folder, write=True) as ledger:
        done = part.has_run.issuperset(own)
        ledger.record(replace(CELL, status="finished" if done else "open", planned=len(own)))
        for window in sorted(part.has_run.intersection(own)):
            failed = window in part.failed
            row = replace(ROW, window=window, status="failed" if failed else "scored", reason="no" if failed else "")
            records = [] if failed else [_measurement(window, window not in part.unmeasured)]
            ledger.record(row, *records)
        if done:
            ledger.compact(CELL.cell_id)
    planned = frozenset((ROW.source, window, clip_digest(ROW.content_id, ROW.frame_ids)) for window in own)
    write_plan(folder, CELL.cell_id, Plan({part.shard: planned}, count))
    return folder


def _measurement(window: int, good: bool) -> Measurement:
    place = (CELL.cell_id, ROW.source, window, KEY)
    return Measurement(*place, b"%d" % window) if good else Measurement(*place, b"", "no")


@pytest.mark.slow
@settings(max_examples=25)
@given(splits())
def test_the_best_outcome_of_every_window_in_any_order(split: tuple[int, list[int], list[Part], list[int]]) -> None:
    count, owners, parts, order = split
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folders = [write(place / str(index), count, owners, part) for index, part in enumerate(parts)]
        merge_runs(folders, place / "merged")
        merge_runs([folders[index] for index in order], place / "permuted")
        nested = folders[0]
        for number, folder in enumerate(folders[1:]):
            merge_runs([nested, folder], place / f"nested{number}")
            nested = place / f"nested{number}"
        found = [all_of(place / target) for target in ("merged", "permuted")] + [all_of(nested)]
        plan = read_plan(place / "merged", CELL.cell_id)
    run = {part.shard for part in parts}
    outcomes = {
        window: [part for part in parts if part.shard == owner and window in part.has_run]
        for window, owner in enumerate(owners)
    }
    scored = {window for window, by in outcomes.items() if any(window not in part.failed for part in by)}
    good = {w for w, by in outcomes.items() if any(w not in part.failed | part.unmeasured for part in by)}
    for merged in found:
        rows = {row.window: row.status for row in merged["rows"][CELL.cell_id]}
        assert rows == {window: "scored" if window in scored else "failed" for window, by in outcomes.items() if by}
        measured = {key[1]: by_name[KEY] for key, by_name in merged["measurements"][CELL.cell_id].items()}
        assert measured == {window: _measurement(window, window in good) for window in scored}
        (cell,) = merged["cells"]
        assert cell.planned == sum(owner in run for owner in owners)
        assert {name: merged[name] for name in ("rows", "measurements")} == {
            name: found[0][name] for name in ("rows", "measurements")
        }
    assert plan is not None
    assert {window for _, window, _ in plan.windows} == {w for w, owner in enumerate(owners) if owner in run}
    assert plan.missing_shards == tuple(f"{index + 1}/{count}" for index in range(count) if index not in run)
