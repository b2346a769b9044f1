"""What is compared with what, and what is left out with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_cells import made_cell
from recorded_cells import VIDTOK, under_protocol, write_record
from run_folders import CELL, ROW
from timed_cells import timed_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.comparison import compare_items, compare_labels
from toklab.bench.analysis.results import RunResults, name_versions
from toklab.bench.ledger.ledger import Ledger
from toklab.reports.tables.comparison import render_comparison

LARGER = VIDTOK.derive(height=40, width=40)


def left_out(frame: pd.DataFrame) -> str:
    return "\n".join(frame.attrs["left_out"])


def under(digest: str, label: str, error: float) -> CellResults:
    made = made_cell(label, {("a.mp4", 0): error})
    return replace(made, cell=replace(made.cell, protocol_hash=digest))


def test_two_protocols_of_a_run_are_compared_each_with_itself() -> None:
    cells = [under("h1", "a", 0.1), under("h1", "b", 0.01), under("h2", "a", 0.1), under("h2", "b", 0.001)]
    frame = compare_labels([*cells, under("h3", "a", 0.1)], ["a", "b"], None, "run")
    assert frame["difference"].tolist() == pytest.approx([-10, -20], abs=1e-3)
    assert left_out(frame) == "a on videos under p (h3): nothing of b to compare it with"
    for kind in ("terminal", "markdown"):
        assert "left out: a on videos" in render_comparison(frame, kind)
    with pytest.raises(ComparisonError, match="figures under different protocols can't be compared"):
        compare_labels([under("h1", "a", 0.1), under("h2", "b", 0.1)], ["a", "b"], None, "run")


def test_between_runs_every_protocol_has_its_pair(tmp_path: Path) -> None:
    def written(name: str, cells: Sequence[CellResults]) -> str:
        return str(write_record(RunResults(name, tuple(cells), ()), tmp_path / name))

    small, large = (under_protocol(made_cell("a", {("a.mp4", 0): e}), p) for e, p in ((0.1, VIDTOK), (0.2, LARGER)))
    large = replace(large, cell=replace(large.cell, cell_id="large"))
    more = replace(large, cell=replace(large.cell, metrics=("psnr", "ssim")))
    before = written("before", [small, large])
    after = written("after", [small, more, under_protocol(made_cell("b", {("a.mp4", 0): 0.1}))])
    frame = compare_items([before, after], None, None)
    assert frame["difference"].tolist() == [0, 0]
    assert len(set(frame["value_a"].tolist())) == 2
    assert frame.attrs["left_out"] == [
        f"b on folder under vidtok ({VIDTOK.hash}): in {after}, not in {before}",
        f"ssim on folder: not measured for a [{before}]",
    ]


def test_runs_on_other_folders_are_refused_with_what_makes_them_one_dataset(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with Ledger(tmp_path / name, write=True) as ledger:
            ledger.record(replace(CELL, dataset=f"folder:/{name}/videos"), ROW)
    with pytest.raises(ComparisonError, match=r"no dataset in common; .*NAME=folder:PATH"):
        compare_items([str(tmp_path / "one"), str(tmp_path / "other")], None, None)


SECONDS = np.array([1.0, 1.01, 0.99, 1.02, 0.98, 1.0])
BOTH = ("psnr", "throughput-encode")


def test_timings_of_two_machines_and_failed_cells_are_left_out() -> None:
    one = timed_cell("one", SECONDS, 0, metrics=BOTH)
    elsewhere = timed_cell("other", SECONDS, 1, metrics=BOTH, machine="another machine")
    frame = compare_labels([one, elsewhere], ["one", "other"], None, "run")
    assert set(frame["metric"]) == {"psnr"}
    assert "throughput-encode on videos: timings of several machines" in left_out(frame)
    with pytest.raises(ComparisonError, match="another machine"):
        compare_labels([one, elsewhere], ["one", "other"], ["throughput-encode"], "run")
    failed = replace(elsewhere, cell=replace(elsewhere.cell, status="failed", reason="it lacks what it needs"))
    with pytest.raises(ComparisonError, match="it lacks what it needs"):
        compare_labels([one, failed], ["one", "other"], None, "run")


def test_speeds_that_cannot_be_compared_are_left_out_with_the_reason() -> None:
    one, other = (timed_cell(label, SECONDS, place, metrics=BOTH) for place, label in enumerate(("one", "other")))
    assert set(compare_labels([one, other], ["one", "other"], None, "run")["metric"]) == set(BOTH)
    half = replace(other, cell=replace(other.cell, settings={"precision": "float16"}))
    later = 1e6 + np.arange(6.0)
    not_in_turn = "throughput-encode on videos of one and other: their repetitions weren't made in turn"
    for reason, changed in (
        (not_in_turn, timed_cell("other", SECONDS, 1, metrics=BOTH, started_s=later)),
        (
            "can't be told from theirs; other was timed alone",
            timed_cell("other", SECONDS, 1, metrics=BOTH, started_s=later, why_alone="timed alone"),
        ),
        (not_in_turn, timed_cell("other", SECONDS, 1, metrics=BOTH, pass_id="another pass")),
        (
            "other has no repetitions: it was timed while its run went on",
            made_cell("other", {("a.mp4", 0): 0.01}, metrics=BOTH),
        ),
        ("timed under different conditions: ", timed_cell("other", SECONDS, 1, metrics=BOTH, batch_size=2)),
        ("32×32, float32; ", half),
    ):
        assert reason in left_out(compare_labels([one, changed], ["one", "other"], None, "run"))


def test_speeds_are_compared_by_paired_ratios() -> None:
    pair = [timed_cell("quick", SECONDS, 0), timed_cell("slow", 2 * SECONDS[::-1], 1)]
    frame = compare_labels(pair, ["quick", "slow"], None, "run")
    (row,) = frame.to_dict("records")
    assert (row["value_a"], row["value_b"]) == pytest.approx((17.0, 8.5))
    assert (row["verdict"], row["better"], row["windows_shared"]) == ("A", "quick", 0)
    low, high = np.floor(1000 * (2 * 0.98 / 1.02)) / 1000, np.ceil(1000 * (2 * 1.02 / 0.98)) / 1000
    assert "A has 2.000 times B's median; 6 paired repetitions" in row["note"]
    assert "median of paired ratios [" in row["note"]
    ends = [float(end) for end in row["note"].rsplit("[", 1)[1].rstrip("]").split(", ")]
    assert low <= ends[0] < 2 < ends[1] <= high
    assert "B's median" in render_comparison(frame)


def test_retrained_weights_have_lines_of_their_own() -> None:
    one, other = (made_cell(label, {("a.mp4", 0): 0.1}) for label in ("one", "other"))
    retrained = replace(other, cell=replace(other.cell, cell_id="c2", weights="sha256:0123456789abcdef"))
    frame = compare_labels(name_versions([one, other, retrained]), ["one", "other"], None, "run")
    assert frame["b"].tolist() == ["other, none", "other, sha256:0123456789ab"]
