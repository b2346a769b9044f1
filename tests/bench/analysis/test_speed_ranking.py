"""Ranks of speeds in the table, and comparisons that agree with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from timed_cells import shaken, timed_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.comparison import compare_labels
from toklab.bench.analysis.results_table import results_table
from toklab.bench.analysis.speed_ranking import CORRELATED, NOT_IN_TURN
from toklab.reports.schema import read_figures
from toklab.reports.tables.table import build_table


def three() -> list[CellResults]:
    alike = shaken(1.0, 0) * np.resize([1.01, 0.99], 12)
    return [
        timed_cell("quick", shaken(1.0, 0), 0),
        timed_cell("alike", alike, 1),
        timed_cell("slow", shaken(1.3, 2), 2),
    ]


def rows_of(cells: list[CellResults]) -> dict[str, dict[str, Any]]:
    return {str(row["label"]): row for row in results_table(cells).to_dict("records")}


def test_speeds_in_turn_are_ranked_by_their_ratios() -> None:
    rows = rows_of(three())
    assert {label: row["rank"] for label, row in rows.items()} == {"quick": "best", "alike": "best", "slow": "second"}
    assert [(rows[n]["rank_low"], rows[n]["rank_high"]) for n in ("quick", "alike", "slow")] == [(1, 2), (1, 2), (3, 3)]
    assert rows["quick"]["family"] == "3 systems, 3 pairs, 12 repetitions in turn"
    # Their own intervals overlap: the load that all felt is larger than what tells them apart.
    assert rows["slow"]["high"] > rows["quick"]["low"]
    caption = build_table(read_figures(results_table(three()))).caption
    assert "and of speeds by paired ratios of repetitions in turn" in caption
    assert "3 systems, 3 pairs, 12 repetitions in turn (Encode)" in caption


def test_what_was_timed_later_or_alone_is_not_ranked_and_says_why() -> None:
    why = "timed alone, because rounds with others took too long"
    later = timed_cell("later", shaken(0.1, 3), 5, pass_id="another pass")
    alone = timed_cell("alone", shaken(9.0, 4), 6, started_s=1e6 + np.arange(12.0), why_alone=why)
    rows = rows_of([*three(), later, alone])
    assert rows["later"]["rank"] == rows["alone"]["rank"] == ""
    assert (rows["later"]["rank_low"], rows["later"]["family"]) == (0, NOT_IN_TURN)
    assert (rows["alone"]["rank_low"], rows["alone"]["family"]) == (0, f"not ranked: {why}")
    assert rows["quick"]["rank"] == "best"
    assert rows["quick"]["family"] == "3 systems, 3 pairs, 12 repetitions in turn"


def test_no_rank_goes_across_conditions_or_groups() -> None:
    elsewhere = [
        timed_cell("elsewhere", shaken(0.5, 5), 3, machine="n"),
        timed_cell("elsewhere too", shaken(0.6, 6), 4, machine="n"),
    ]
    rows = rows_of([*three(), *elsewhere, timed_cell("other", shaken(0.2, 7), 5, group="h")])
    assert rows["quick"]["family"] == "3 systems, 3 pairs, 12 repetitions in turn"
    assert (rows["elsewhere"]["metric"], rows["elsewhere"]["title"]) == ("throughput-encode@2", "Encode @2")
    assert "measured under other conditions: n, Python, " in rows["elsewhere"]["note"]
    assert (rows["elsewhere"]["rank"], rows["elsewhere too"]["rank"]) == ("best", "second")
    assert rows["elsewhere"]["family"] == "2 systems, 1 pair, 12 repetitions in turn"
    assert (rows["other"]["rank"], rows["other"]["family"]) == ("", "")


def test_without_rounds_enough_there_are_no_ranks() -> None:
    cells = [timed_cell(str(n), shaken(1.0 + n, n, 6), n) for n in range(3)]
    rows = rows_of(cells)
    assert {row["rank"] for row in rows.values()} == {""}
    assert {row["family"] for row in rows.values()} == {"not ranked: 6 repetitions in turn, and 3 systems take 7"}
    # Named alone, a pair has an interval with six.
    (row,) = compare_labels(cells, ["0", "1"], None, "run").to_dict("records")
    assert (row["verdict"], row["num_pairs"], row["table_verdict"]) == ("A", 1, "no verdict")


def test_one_that_drifts_is_not_ranked() -> None:
    drifting = timed_cell("drifting", shaken(1.0, 0) * np.linspace(5, 9, 12), 3)
    rows = rows_of([*three(), drifting])
    assert (rows["drifting"]["rank_low"], rows["drifting"]["family"]) == (0, CORRELATED)
    assert rows["quick"]["rank"] == "best"
    assert rows["quick"]["family"].startswith("4 systems, 6 pairs, 12 repetitions in turn, ")


def test_the_comparison_of_all_pairs_is_the_tables() -> None:
    cells = three()
    rows = rows_of(cells)
    frame = compare_labels(cells, [], None, "run")
    verdicts = {(row["a"], row["b"]): row for row in frame.to_dict("records")}
    assert {pair: row["verdict"] for pair, row in verdicts.items()} == {
        ("quick", "alike"): "not separable",
        ("quick", "slow"): "A",
        ("alike", "slow"): "A",
    }
    assert {row["num_pairs"] for row in verdicts.values()} == {3}
    assert all("which holds for 3 pairs at once" in str(row["note"]) for row in verdicts.values())
    for (one, other), row in verdicts.items():
        if row["verdict"] == "A":
            assert rows[one]["rank_high"] < rows[other]["rank_low"]
    (chosen,) = compare_labels(cells, ["slow", "quick"], None, "run").to_dict("records")
    assert (chosen["verdict"], chosen["table_verdict"], chosen["num_pairs"]) == ("B", "B", 1)


def test_pairs_that_the_table_does_not_rank_are_left_out_of_all_pairs() -> None:
    others = [timed_cell(f"later {n}", shaken(1 + n, n), n, pass_id="another pass") for n in range(2)]
    frame = compare_labels([*three(), *others], [], None, "run")
    assert len(frame) == 3
    left_out = "; ".join(frame.attrs["left_out"])
    assert "later 0 and later 1: the table doesn't rank them together" in left_out
    assert "quick and later 0: their repetitions weren't made in turn" in left_out
    (named,) = compare_labels([*three(), *others], ["later 0", "later 1"], None, "run").to_dict("records")
    assert (named["verdict"], named["table_verdict"]) == ("A", "")


@pytest.mark.parametrize("rounds", [6, 12])
def test_order_in_a_round_does_not_matter_but_rounds_do(rounds: int) -> None:
    starts = 10.0 * np.arange(rounds)
    one = timed_cell("one", shaken(1.0, 0, rounds), 0, started_s=starts + np.resize([0, 1], rounds))
    other = timed_cell("other", shaken(2.0, 1, rounds), 0, started_s=starts + np.resize([1, 0], rounds))
    assert rows_of([one, other])["one"]["rank"] == "best"
    after = timed_cell("other", shaken(2.0, 1, rounds), 0, started_s=starts + 1e4)
    assert rows_of([one, after])["one"]["rank"] == ""
