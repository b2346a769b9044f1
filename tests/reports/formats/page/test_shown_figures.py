"""Figures in the page's tooltips, charts and tables of videos, in a browser."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing
from page_reports import bundled, made_figures, made_report, write_page
from toklab.reports.charts.pictures import Chart
from toklab.reports.charts.radar import CLIPPED_NOTE

pytestmark = pytest.mark.slow


def tip_of(page: Any, row: int, heading: str) -> list[str]:
    """The lines of the tooltip of a system's figure in a column."""
    headings = page.locator(".results thead tr").last.locator("th").all_inner_texts()
    column = next(place for place, title in enumerate(headings) if title.startswith(heading))
    page.locator(f".results tbody tr[data-row='{row}'] td").nth(column - 1).hover()
    return page.get_by_role("tooltip").locator("p").all_inner_texts()


def test_a_tooltip_has_every_footnote_of_its_figure_once(open_page: Callable[..., Any], tmp_path: Path) -> None:
    alone = "not ranked: 3 videos, while the others share 12"
    changes = {
        ("psnr", "system 0"): {"rank": "", "rank_low": 0, "rank_high": 0, "family": alone, "interval_note": "is rough"},
        ("ssim", "system 0"): {"count": 12},
        ("flicker", "system 0"): {"note": "was cut"},
    }
    figures = [
        replace(each, weights="random (seed 0)", **changes.get((each.metric, each.tokenizer), {}))
        for each in made_figures(4)
    ]
    page = open_page(write_page(made_report(figures), tmp_path))
    untrained = "weights: random (seed 0); the model is not trained and its figures test the harness only."
    psnr = tip_of(page, 0, "PSNR")
    assert "Not ranked: 3 videos, while the others share 12." in psnr
    assert "is rough." in psnr
    assert [line for line in psnr if untrained in line]
    assert len([line for line in psnr if "share 12" in line or "is rough" in line]) == 2
    ssim = tip_of(page, 0, "SSIM")
    assert [line for line in ssim if line.endswith("rests on 12 of 204 frames.")]
    assert [line for line in ssim if untrained in line]
    assert len([line for line in tip_of(page, 0, "Flicker") if "was cut" in line]) == 1


def test_videos_that_the_other_system_lacks_come_last(open_page: Callable[..., Any], tmp_path: Path) -> None:
    report = made_report(made_figures(6), sources=("a.mp4", "b.mp4", "c.mp4", "d.mp4"))
    videos = report.videos
    shifts = pd.Series(videos["files"]).map(lambda files: {"b.mp4": -0.5, "d.mp4": 0.5}.get(files[0], 0.0))
    of_first, of_other = (videos["label"] == label for label in ("system 0", "system 3"))
    videos = videos.assign(value=videos["value"] + shifts.where(of_first, 0.0))
    # The other one lacks a video, and all of a metric.
    lacking = (videos["files"] == ("a.mp4",)) & of_other | (videos["metric"] == "flicker") & of_other
    page = open_page(write_page(replace(report, videos=videos[~lacking]), tmp_path))

    def order(metric: str) -> str:
        page.locator(".videos thead button", has_text=metric).click()
        return "".join(name[0] for name in page.locator(".videos tbody th").all_inner_texts())

    page.get_by_label("Beside", exact=True).select_option(label="Alpha system 3")
    assert order("PSNR") == "dcba"
    assert order("PSNR") == "bcda"
    assert order("Flicker") == "bacd"


def test_the_radar_marks_what_is_beyond_an_axis(open_page: Callable[..., Any], tmp_path: Path) -> None:
    # The axis of PSNR goes from 20 to 40 dB, that of flicker from 0.05 to 0.
    values = {
        ("psnr", 0): 45.0, ("psnr", 1): 45.0, ("psnr", 2): 40.0,
        ("flicker", 0): 0.06, ("flicker", 1): 0.04, ("flicker", 2): 0.0,
    }  # fmt: skip
    figures = [
        replace(each, group="discrete", value=values.get((each.metric, int(each.tokenizer[-1])), each.value))
        for each in made_figures(3)
    ]
    page = open_page(write_page(made_report(figures), tmp_path))
    assert CLIPPED_NOTE in page.locator(".radar .notes").inner_text()
    counts = [page.locator(f".polygon[data-row='{row}'] .beyond").count() for row in range(3)]
    assert counts == [2, 1, 0]
    outward = [page.locator(f".polygon[data-row='{row}'] .beyond").first for row in range(2)]
    # Two beyond one end don't cover each other.
    left, right = sorted(mark.bounding_box()["x"] for mark in outward)
    assert right - left > 5
    turns = [mark.get_attribute("transform") for mark in page.locator(".polygon[data-row='0'] .beyond").all()]
    assert ["rotate" in turn for turn in turns] == [False, True]
    assert "rotate(420.0)" in turns[1]
    inside = [replace(each, value=30.0 if each.metric == "psnr" else each.value) for each in made_figures(3)]
    assert (
        CLIPPED_NOTE not in open_page(write_page(made_report(inside), tmp_path)).locator(".radar .notes").inner_text()
    )


@pytest.mark.parametrize(
    ("low", "high"), [(30.02, 30.31), (0.9312, 0.9341), (-0.3, 0.2), (1.2e6, 1.25e6), (0.0003, 4.0)]
)
def test_numbers_along_the_scatter_chart_are_those_of_their_places(
    open_page: Callable[..., Any], tmp_path: Path, low: float, high: float
) -> None:
    shown = {"psnr": (low, high), "ssim": (low, high)}
    figures = [
        replace(each, value=shown[each.metric][int(each.tokenizer[-1])], low=float("nan"), high=float("nan"))
        if each.metric in shown
        else each
        for each in made_figures(2)
    ]
    page = open_page(write_page(made_report(figures), tmp_path))
    page.get_by_label("Across", exact=True).select_option(label="SSIM ↑")
    page.get_by_label("Up", exact=True).select_option(label="PSNR ↑")
    ticks = page.locator(".scatter .tick")
    points = page.locator(".scatter .point .hit")
    for anchor, axis, centre in (("middle", "x", "cx"), ("end", "y", "cy")):
        along = page.locator(f".scatter .tick[text-anchor='{anchor}']").all()
        texts = [tick.text_content() for tick in along]
        places = [float(tick.get_attribute(axis)) - (4 if axis == "y" else 0) for tick in along]
        values = [float(text.replace(",", "").replace("−", "-")) for text in texts]
        assert len(set(texts)) == len(texts) > 1
        assert len({len(text.partition(".")[2]) for text in texts}) == 1 or high / low > 15
        first, last = (float(points.nth(place).get_attribute(centre)) for place in range(2))
        is_log = low > 0 and high / low > 15
        ends = (math.log(low), math.log(high)) if is_log else (low, high)
        for value, place in zip(values, places, strict=True):
            share = ((math.log(value) if is_log else value) - ends[0]) / (ends[1] - ends[0])
            assert first + share * (last - first) == pytest.approx(place, abs=0.3)
    boxes = [ticks.nth(place).bounding_box() for place in range(ticks.count())]
    title = page.locator(".scatter .axis-title").last.bounding_box()
    assert min(box["x"] for box in boxes) > title["x"] + title["width"]


def test_charts_outside_of_the_page_are_named_with_their_place(open_page: Callable[..., Any], tmp_path: Path) -> None:
    report = replace(made_report(made_figures(3)), charts=(Chart("rates", "Rates.", Drawing(), pd.DataFrame()),))
    for folder, each, place in (
        ("one", report, "beside this page"),
        ("two", bundled(report), "one folder above this page"),
    ):
        page = open_page(write_page(each, tmp_path / folder))
        assert page.locator("figcaption").inner_text() == f"Rates. (in rates.png {place})"
