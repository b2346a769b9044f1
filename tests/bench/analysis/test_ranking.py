"""Ranks of a table, from paired differences on shared windows, and comparisons that agree with them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cells import made_cell, random_cells
from recorded_cells import VIDTOK, under_protocol, write_record
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.comparison import compare_items, compare_labels
from toklab.bench.analysis.limits import Limit, exit_code
from toklab.bench.analysis.ranking import rank_column
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.analysis.shared_windows import Contestant, share_for_ranks, share_windows
from toklab.bench.metrics.psnr import FramePsnr
from toklab.bench.statistics.ranks import rank_systems
from toklab.reports.schema import read_figures
from toklab.reports.tables.table import build_table


def errors_of(num_sources: int, factor: float = 1.0, noise: float = 0.0, seed: int = 0) -> dict[tuple[str, int], float]:
    generator = np.random.default_rng(seed)
    levels = np.exp(np.random.default_rng(99).normal(-6, 1, num_sources))
    return {(f"v{i:02}.mp4", 0): float(e * factor * np.exp(noise * generator.normal())) for i, e in enumerate(levels)}


def by_label(results: list[CellResults], metric: str = "psnr") -> dict[str, dict[str, object]]:
    rows = results_table(results).query("metric == @metric").to_dict("records")
    return {str(row["label"]): row for row in rows}


def test_what_hardly_differs_is_bold_and_what_differs_is_not() -> None:
    cells = [
        made_cell("best", errors_of(12, 1.0, 0.3, 1)),
        made_cell("alike", errors_of(12, 1.01, 0.3, 2)),
        made_cell("worse", errors_of(12, 2.0, 0.1, 3)),
    ]
    rows = by_label(cells)
    assert [rows[label]["rank"] for label in ("best", "alike", "worse")] == ["best", "best", "second"]
    assert [(rows[n]["rank_low"], rows[n]["rank_high"]) for n in ("best", "alike", "worse")] == [(1, 2), (1, 2), (3, 3)]
    assert str(rows["best"]["family"]).startswith("3 systems, 3 pairs, 12 videos, 12 windows, c ")
    assert rows["best"]["num_sources"] == 12
    # The videos differ so much that the figures' own intervals overlap.
    assert rows["worse"]["high"] > rows["best"]["low"]  # type: ignore[operator]


def test_ranks_are_those_of_the_sums() -> None:
    cells = random_cells(np.random.default_rng(3), 4, 24)
    metric = FramePsnr()
    sums = np.array([[0.0] * 4] * 24)
    weights = np.zeros(24)
    for system, cell in enumerate(cells):
        for window in metric.usable(cell.windows(metric)):
            source = int(window.key[0][1:3])
            sums[source, system] += metric.numerators(window).sum()
            weights[source] += len(metric.numerators(window)) if not system else 0
    expected = rank_systems(sums, weights, higher_is_better=True)
    ranking = rank_column(cells, metric).ranking
    assert ranking is not None
    assert (ranking.best, ranking.ranks_low) == (expected.best, expected.ranks_low)
    assert ranking.critical_value == pytest.approx(expected.critical_value)


@pytest.mark.parametrize("num_sources", [1, 4])
def test_few_videos_have_no_interval_rank_or_verdict_anywhere(num_sources: int) -> None:
    cells = [made_cell("a", errors_of(num_sources)), made_cell("b", errors_of(num_sources, 4.0))]
    for row in by_label(cells).values():
        assert (row["rank"], row["rank_low"], row["family"], row["num_sources"]) == ("", 0, "", num_sources)
        assert math.isnan(row["low"])  # type: ignore[arg-type]
    table = build_table(read_figures(results_table(cells)), intervals="ends")
    assert not any(cell.rank or cell.interval for row in table.sections[0].rows for cell in row.cells)
    assert "too few for intervals and ranks" in table.caption
    (row,) = compare_labels(cells, ["a", "b"], None, "run").to_dict("records")
    assert (row["verdict"], row["better"], row["table_verdict"]) == ("no verdict", "", "")
    assert math.isnan(row["low"])
    assert exit_code(pd.DataFrame([row]), [Limit.parse("psnr < 90")])[0] == 2


def test_a_tokenizer_with_few_videos_does_not_shrink_the_ranking() -> None:
    few = {key: value for key, value in errors_of(20).items() if key[0] < "v09"}
    cells = [made_cell("a", errors_of(20)), made_cell("b", errors_of(20, 2.0, 0.1)), made_cell("few", few)]
    rows = by_label(cells)
    assert rows["few"]["rank"] == ""
    assert rows["few"]["family"] == "not ranked: 9 videos, while the others share 20"
    assert "2 systems, 1 pair, 20 videos" in str(rows["a"]["family"])
    almost = {key: value for key, value in errors_of(20).items() if key[0] != "v09.mp4"}
    rows = by_label([*cells[:2], made_cell("almost", almost)])
    assert "3 systems, 3 pairs, 19 videos, 19 windows" in str(rows["a"]["family"])


def test_other_windows_are_paired_by_video() -> None:
    causal = made_cell("causal", errors_of(12, 1.0, 0.05, 1), num_frames=3)
    others = [made_cell("other", errors_of(12, 1.5, 0.05, 2)), made_cell("third", errors_of(12, 1.5, 0.05, 3))]
    rows = by_label([causal, *others])
    assert "12 windows paired by video" in str(rows["causal"]["family"])
    assert rows["causal"]["rank"] == "best"
    (row, _) = compare_labels([causal, *others], ["causal", "other", "third"], None, "run").to_dict("records")
    assert "windows differ in length and are paired by video" in row["note"]


def test_another_copy_of_a_video_is_not_shared() -> None:
    cells = [made_cell("a", errors_of(6)), made_cell("b", errors_of(6))]
    contestants = [Contestant.of(cell, FramePsnr()) for cell in cells]
    assert share_for_ranks(contestants).num_sources == 6
    first, *others = cells[1].rows
    cells[1] = replace(cells[1], rows=[replace(first, content_id="another video"), *others])
    contestants = [Contestant.of(cell, FramePsnr()) for cell in cells]
    assert share_windows(contestants, (0, 1)).num_sources == 5


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(3, 24), st.sampled_from([0.0, 0.02, 0.2]))
def test_compare_and_table_agree(seed: int, num_systems: int, num_sources: int, missing: float) -> None:
    cells = random_cells(np.random.default_rng(seed), num_systems, num_sources, missing)
    rows = by_label(cells)
    try:
        frame = compare_labels(cells, [], None, "run")
    except ComparisonError:
        assert all(not row["rank"] for row in rows.values())
        return
    for pair in frame.to_dict("records"):
        # Without chosen pairs the verdicts are the table's own.
        assert pair["verdict"] == (pair["table_verdict"] or "no verdict")
        for better, worse in ((pair["a"], pair["b"]), (pair["b"], pair["a"])):
            if pair["better"] == better:
                assert int(str(rows[better]["rank_high"])) < num_systems
                assert int(str(rows[worse]["rank_low"])) > 1
    best = [label for label, row in rows.items() if row["rank"] == "best"]
    values = {label: float(str(row["value"])) for label, row in rows.items()}
    if best and not missing:
        top = max(values, key=lambda label: values[label])
        beaten = {p["b"] if p["a"] == top else p["a"] for p in frame.to_dict("records") if p["better"] == top}
        assert set(best) == set(values) - beaten
    chosen = compare_labels(cells, [cell.cell.label for cell in cells], None, "run")
    for pair in chosen.to_dict("records"):
        # On the same windows both rest on the same differences: their signs never oppose.
        if not missing and {"A", "B"} >= {pair["verdict"], pair["table_verdict"]}:
            assert pair["verdict"] == pair["table_verdict"]


def test_a_comparison_says_what_a_reader_needs() -> None:
    cells = [
        made_cell("a", errors_of(30, 1.0, 0.2, 1)),
        made_cell("b", errors_of(30, 1.5, 0.2, 2)),
        made_cell("c", errors_of(30, 1.02, 0.2, 3), group="other"),
    ]
    first, second = compare_labels(cells, ["a", "b", "c"], None, "run").to_dict("records")
    assert (first["verdict"], first["better"], first["table_verdict"]) == ("A", "a", "A")
    assert (second["verdict"], second["better"], second["table_verdict"]) == ("not separable", "", "")
    assert math.isnan(first["detectable"])
    assert 0 < second["detectable"] < 1.5
    assert first["num_pairs"] == 2
    assert first["critical_value"] == second["critical_value"]
    assert first["wins"] + first["ties"] + first["losses"] == 30
    assert second["wins_low"] < second["wins"] / 30 < second["wins_high"]
    assert first["furthest"].startswith("+")
    assert ".mp4" in first["furthest"]
    assert "probability" not in " ".join(map(str, first))


@pytest.mark.parametrize(
    ("limit", "code"),
    [("psnr < -0.1", 0), ("psnr > 0.5", 3), ("psnr<9", 3), ("psnr > 1.7", 0), ("ssim < 0", 2)],
)
def test_limits(limit: str, code: int) -> None:
    cells = [made_cell("a", errors_of(30, 1.0, 0.05, 1)), made_cell("b", errors_of(30, 1.5, 0.05, 2))]
    frame = compare_labels(cells, ["a", "b"], None, "run")
    found, sentences = exit_code(frame, [Limit.parse(limit)])
    assert found == code
    assert bool(sentences) == bool(code)


def test_a_pair_that_was_not_compared_passes_no_limit() -> None:
    cells = [made_cell("a", errors_of(30, 1.0, 0.05, 1)), made_cell("b", errors_of(30, 1.5, 0.05, 2))]
    lacking = made_cell("c", errors_of(30), metrics=("ssim",))
    frame = compare_labels([*cells, lacking], ["a", "b", "c"], None, "run")
    code, sentences = exit_code(frame, [Limit.parse("psnr < -9")])
    assert (code, sentences) == (2, ["psnr < -9: psnr on videos: not measured for c"])


def elsewhere(result: CellResults, **changes: Any) -> CellResults:
    cell = replace(result.cell, dataset="d2", cell_id=f"{result.cell.cell_id} {len(changes)}", **changes)
    return replace(result, cell=cell, dataset="d2", **({"rows": [], "measurements": {}} if changes else {}))


FAILED = {"status": "failed", "reason": "out of memory"}


@pytest.mark.parametrize("labels", [["a", "b"], []])
def test_a_tokenizer_that_failed_passes_no_limit(labels: list[str]) -> None:
    cells = [made_cell("a", errors_of(30, 1.0, 0.05, 1)), made_cell("b", errors_of(30, 1.5, 0.05, 2))]
    failed = [*cells, elsewhere(cells[0]), elsewhere(cells[1], **FAILED)]
    code, sentences = exit_code(compare_labels(failed, labels, None, "run"), [Limit.parse("psnr < -9")])
    assert code == 2
    assert any(sentence.endswith("couldn't run: out of memory") for sentence in sentences)
    repeated = compare_labels([*failed, elsewhere(cells[1])], labels, None, "run")
    assert (len(repeated), repeated.attrs["left_out"]) == (2, [])
    assert exit_code(repeated, [Limit.parse("psnr < -9")]) == (0, [])


def test_a_tokenizer_without_a_counterpart_passes_no_limit(tmp_path: Path) -> None:
    a, b = made_cell("a", errors_of(30, 1.0, 0.05, 1)), made_cell("b", errors_of(30, 1.5, 0.05, 2))
    frame = compare_labels([a, b, elsewhere(b)], ["a", "b"], None, "run")
    code, sentences = exit_code(frame, [Limit.parse("psnr < -9")])
    assert (code, sentences) == (2, ["psnr < -9: b on d2 under p (h): nothing of a to compare it with"])
    runs = []
    for name, cells in (
        ("before", [a, b]),
        ("after", [a]),
        ("refused", [a, replace(b, cell=replace(b.cell, **FAILED))]),
    ):
        run = RunResults(name, tuple(under_protocol(cell, VIDTOK) for cell in cells), ())
        runs.append(str(write_record(run, tmp_path / name)))
    for run in runs[1:]:
        frame = compare_items([runs[0], run], None, None)
        assert frame.attrs["without_pair"] == frame.attrs["left_out"] != []
        code, sentences = exit_code(frame, [Limit.parse("psnr < -9")])
        assert (code, len(sentences)) == (2, len(frame.attrs["left_out"]))


@pytest.mark.parametrize("text", ["psnr", "psnr < x", "< 3", "psnr <= 3"])
def test_wrong_limits_are_refused(text: str) -> None:
    with pytest.raises(ComparisonError, match=r"such as 'psnr < -0.1'"):
        Limit.parse(text)


def test_a_value_that_is_not_finite_is_counted_and_changes_nothing_else() -> None:
    errors = errors_of(12, 1.0, 0.1, 1)
    broken = {**errors, ("v03.mp4", 1): math.nan}
    whole, hurt = (by_label([made_cell("a", e)])["a"] for e in (errors, broken))
    assert (hurt["value"], hurt["low"], hurt["count"]) == (whole["value"], whole["low"], whole["count"])
    assert "12 of 13 windows have a finite value" in str(hurt["note"])
