"""Findings say what the ranks say, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from toklab.reports.formats.typst.cover import cover_data
from toklab.reports.identity import identify
from toklab.reports.paper.findings import find_leaders, summarize
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure

Build = Callable[..., Figure]


def _texts(figures: list[Figure], metrics: tuple[str, ...] = ()) -> list[str]:
    return ["".join(map(str, prose)) for prose in summarize(find_leaders(figures, identify(figures), metrics))]


def _ranked(figure: Build, name: str, value: float, rank: str, ranks: tuple[int, int], metric: str = "psnr") -> Figure:
    return figure(
        tokenizer=name, system=name, metric=metric, value=value, low=value - 1, high=value + 1, num_sources=12,
        rank=rank, rank_low=ranks[0], rank_high=ranks[1],
    )  # fmt: skip


def test_one_best_system_is_named_with_its_interval(figure: Build) -> None:
    figures = [_ranked(figure, "A", 30.0, "best", (1, 1)), _ranked(figure, "B", 25.0, "", (2, 2))]
    assert _texts(figures) == ["Continuous, 4 channels (2 systems): A is best in PSNR (30.00 dB [29.00, 31.00])."]


def test_systems_that_cannot_be_told_apart_are_not_ordered(figure: Build) -> None:
    tied = [_ranked(figure, name, value, "best", (1, 2)) for name, value in (("A", 29.9), ("B", 30.0))]
    third = _ranked(figure, "C", 20.0, "", (3, 3))
    (text,) = _texts([*tied, third])
    assert "In PSNR, B (30.00 dB [29.00, 31.00]) and A (29.90 dB [28.90, 30.90]) lead and can't be told apart." in text
    (text,) = _texts(tied)
    assert "In PSNR, no system can be told from the best, B with 30.00 dB" in text
    assert "is best" not in text


def test_lower_is_better_where_the_metric_says_so(figure: Build) -> None:
    figures = [_ranked(figure, "A", 0.02, "", (2, 2), "flicker"), _ranked(figure, "B", 0.01, "best", (1, 1), "flicker")]
    (finding,) = find_leaders(figures, identify(figures))
    assert [leader.name for leader in finding.leaders] == ["B"]
    assert finding.is_decided


def test_too_few_videos_give_no_verdict(figure: Build) -> None:
    figures = [
        figure(tokenizer=name, system=name, value=value, num_sources=4) for name, value in (("A", 30.0), ("B", 25.0))
    ]
    (finding,) = find_leaders(figures, identify(figures))
    assert not finding.is_decided
    assert not finding.is_ranked
    (text,) = _texts(figures)
    assert text.endswith("A has the best PSNR, 30.00 dB, but with 4 videos nothing is ranked: that takes 5.")


def test_a_system_alone_beats_nobody(figure: Build) -> None:
    alone = figure(tokenizer="A", system="A", value=30.0, num_sources=12)
    pair = [_ranked(figure, "B", 30.0, "best", (1, 1)), _ranked(figure, "C", 25.0, "", (2, 2))]
    others = [replace(each, group="discrete") for each in pair]
    assert "PSNR is 30.00 dB; there is nothing to compare it with." in _texts([alone, *others])[1]


def test_a_lead_is_claimed_only_over_systems_that_are_ranked(figure: Build) -> None:
    few = "not ranked: 3 videos, while the others share 12"
    decided = [_ranked(figure, "A", 30.0, "best", (1, 1)), _ranked(figure, "B", 25.0, "", (2, 2))]
    tied = [_ranked(figure, name, 30.0, "best", (1, 2)) for name in "AB"]
    unranked = [figure(tokenizer=name, system=name, value=40.0, num_sources=3, family=few) for name in "CDEF"]
    for ranked, verdict, sentence in (
        (decided, "best of 2; 1 more is not ranked", "A is best in PSNR (30.00 dB [29.00, 31.00])."),
        (tied, "1 of the other 1 can’t be told from it; 1 more is not ranked", "In PSNR, no ranked system can be told"),
        (decided[:1], "the only one ranked of 2", "In PSNR, A alone is ranked, with 30.00 dB [29.00, 31.00]."),
    ):
        figures = [*ranked, unranked[0]]
        (finding,) = find_leaders(figures, identify(figures))
        (card,) = cover_data(compose_report(figures, "", {}), [finding], {})["cards"]
        assert card["verdict"] == verdict
        (text,) = _texts(figures)
        assert text.startswith(f"Continuous, 4 channels ({len(figures)} systems): ")
        assert sentence in text
        assert text.endswith(" C is not ranked in PSNR: 3 videos, while the others share 12.")
    (text,) = _texts([*decided, *unranked])
    assert text.endswith(" 4 systems are not ranked in PSNR: 3 videos, while the others share 12.")
    also = [replace(each, metric="ssim", title="SSIM", unit="") for each in (*decided, *unranked[:2])]
    (text,) = _texts([*decided, *unranked[:2], *also])
    assert text.endswith(" C and D are not ranked in PSNR and SSIM: 3 videos, while the others share 12.")


def test_an_unranked_group_of_speeds_says_why(figure: Build) -> None:
    ranked = [
        replace(_ranked(figure, name, value, rank, (place, place)), num_sources=0, group="discrete")
        for name, value, rank, place in (("A", 50.0, "best", 1), ("B", 40.0, "", 2))
    ]
    alone = "not ranked: not timed in turn with the others"
    unranked = [figure(tokenizer=name, system=name, value=value, family=alone) for name, value in (("C", 7), ("D", 6))]
    assert _texts([*ranked, *unranked])[1].endswith(
        "C has the best PSNR, 7.00 dB, but the group isn't ranked: not timed in turn with the others."
    )
    unknown = [replace(each, family="") for each in unranked]
    assert _texts([*ranked, *unknown])[1].endswith("C has the best PSNR, 7.00 dB, but the group isn't ranked.")


def test_metrics_without_ranks_and_unchosen_ones_are_left_out(figure: Build) -> None:
    speeds = [
        figure(tokenizer=name, system=name, value=value, num_sources=12) for name, value in (("A", 3.0), ("B", 2.0))
    ]
    assert _texts(speeds) == []
    figures = [_ranked(figure, "A", 30.0, "best", (1, 1)), _ranked(figure, "B", 25.0, "", (2, 2))]
    assert _texts(figures, ("ssim",)) == []
    assert _texts([]) == []
