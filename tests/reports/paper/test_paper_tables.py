"""The caption of a paper's main table says what stands in the columns that were chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from toklab.reports.formats.typst.cover import cover_data
from toklab.reports.paper.bibliography import Bibliography
from toklab.reports.paper.findings import find_leaders
from toklab.reports.paper.tables import main_table
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure
from toklab.reports.tables.table import Intervals, build_table


@pytest.fixture
def quality(figure: Callable[..., Figure]) -> Figure:
    """A PSNR over videos."""
    return figure(
        value=30.0, low=29.0, high=31.0, num_sources=12, count=96, counted="frames", rank="best", rank_low=1,
        rank_high=1, tokenizer="one",
    )  # fmt: skip


@pytest.fixture
def speed(quality: Figure) -> Figure:
    """A speed, the median of repetitions."""
    return replace(
        quality, metric="decode", title="Decode", unit="frames/s", num_sources=0, count=30, counted="repetitions",
        rank="", rank_low=0, rank_high=0,
    )  # fmt: skip


def caption(figures: list[Figure], *metrics: str, intervals: Intervals = "half-width") -> str:
    main = main_table(build_table(figures), metrics, Bibliography(), intervals=intervals)
    return "".join(map(str, main.caption))


def test_intervals_are_over_videos_or_over_repetitions(quality: Figure, speed: Figure) -> None:
    behind = "±: half the width of the 95 % interval over "
    assert caption([quality]).endswith(f"{behind}videos.")
    assert caption([speed]) == f"{behind}repetitions."
    assert caption([quality, speed]).endswith(f"{behind}videos, of speeds over repetitions.")
    assert caption([speed], intervals="ends") == "In brackets: the ends of the 95 % interval over repetitions."


def test_too_few_repetitions_are_explained(speed: Figure) -> None:
    few = replace(speed, low=float("nan"), high=float("nan"), lowest=20.0, highest=40.0)
    for intervals in ("half-width", "ends"):
        assert caption([few], intervals=intervals) == (
            "In parentheses: the smallest and the largest repetition of a speed that has no interval."
        )


def test_columns_that_were_not_chosen_have_no_part_in_the_caption(quality: Figure, speed: Figure) -> None:
    assert caption([quality, speed], "decode") == caption([speed])
    assert "Bold" in caption([quality, speed], "psnr")


def test_the_cover_says_what_its_brackets_hold(quality: Figure, speed: Figure) -> None:
    ranked = replace(speed, rank="best", rank_low=1, rank_high=1)
    few = replace(ranked, low=float("nan"), high=float("nan"), lowest=20.0, highest=40.0)
    point = replace(quality, low=30.0, high=30.0)
    for lead, words in (
        (quality, "in brackets: 95 % intervals over videos"),
        (ranked, "in brackets: 95 % intervals over repetitions"),
        (few, "in parentheses: the smallest and largest repetition"),
        (point, ""),
    ):
        report = compose_report([lead], "", {})
        assert cover_data(report, find_leaders(report.figures, report.identities), {})["intervals"] == words
