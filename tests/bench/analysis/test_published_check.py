"""Published figures beside measured ones: verdicts, and the switch that explains a difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from released_cells import MODEL, random_windows, released_cell, scaled, without
from toklab.bench.analysis import published_check
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.conventions import family_of, own_reading, readings
from toklab.bench.analysis.published_check import Check, check_frame, check_published, counts
from toklab.bench.analysis.results import RunResults
from toklab.bench.planning.suite import Suite
from toklab.datasets.protocol import load_protocol
from toklab.reports.published.by_card import CardFigure, figures_by_card
from toklab.reports.schema import Figure

VIDTOK = load_protocol("vidtok")
WINDOWS = random_windows(0, num_sources=30)


def run_of(*results: CellResults, suite: Suite | None = None) -> RunResults:
    return RunResults("run", results, (), None, suite)


def published(
    metric: str = "psnr", value: float = 30.0, *, card: str = MODEL, decimals: int = 4, **fields: Any
) -> CardFigure:
    known = next(one for one in figures_by_card() if (one.tokenizer, one.figure.metric) == (MODEL, "psnr"))
    figure = replace(known.figure, metric=metric, value=round(value, decimals), decimals=decimals, **fields)
    return CardFigure(card, figure)


Checked = Callable[[CardFigure, Sequence[CellResults]], Check]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Checked:
    """Check one published figure against some cells; the check of the first one."""

    def check(figure: CardFigure, cells: Sequence[CellResults]) -> Check:
        monkeypatch.setattr(published_check, "figures_by_card", lambda: [figure])
        return check_published(run_of(*cells))[0]

    return check


def figure_of(result: CellResults, metric: str) -> float:
    own = next(one for one in family_of(metric) if one.metric == metric)
    reading = own_reading(result, own)
    assert reading is not None
    assert reading.sums is not None
    return reading.sums.value


def lpips_cell(**options: Any) -> CellResults:
    return released_cell(WINDOWS, lpips_vgg=scaled(WINDOWS, 90), lpips_alex=scaled(WINDOWS, 20), **options)


def test_all_videos_of_the_paper_reproduce_it_to_its_digits_or_not_at_all(checked: Checked) -> None:
    cell = released_cell(WINDOWS, is_complete=True)
    own = figure_of(cell, "psnr")
    found = checked(published(value=own), [cell])
    assert (found.agreement.verdict, found.agreement.reason) == ("reproduced", "to the printed digits")
    assert found.switches == ()
    assert checked(published(value=own + 0.01), [cell]).agreement.verdict == "not reproduced"
    assert checked(published(value=own + 10), [cell]).agreement.verdict == "contradicted"


@pytest.mark.parametrize("changes", [{"is_complete": False}, {"dataset": "webvid-val"}])
def test_where_other_videos_may_have_been_seen_the_interval_counts(checked: Checked, changes: dict[str, Any]) -> None:
    cell = released_cell(WINDOWS, **{"is_complete": True, **changes})
    own, dataset = figure_of(cell, "psnr"), cell.dataset
    found = checked(published(value=own + 0.01, dataset=dataset), [cell])
    assert (found.agreement.verdict, found.agreement.reason) == ("reproduced", "within the interval of 30 videos")
    assert checked(published(value=own + 10, dataset=dataset), [cell]).agreement.verdict == "contradicted"


def test_one_video_less_than_the_paper_had_is_no_longer_the_same_set(checked: Checked) -> None:
    cell = released_cell(random_windows(0, num_sources=29), is_complete=True)
    assert "interval" in checked(published(value=figure_of(cell, "psnr") + 0.01), [cell]).agreement.reason


def test_four_videos_decide_nothing(checked: Checked) -> None:
    cell = released_cell(random_windows(0, num_sources=4))
    own = figure_of(cell, "psnr")
    for value in (own, own + 10):
        found = checked(published(value=value), [cell])
        assert found.agreement.verdict == "not comparable"
        assert "4 videos give no interval" in found.agreement.reason


@pytest.mark.parametrize("dataset", ["mcl-jcv", "webvid-val"])
def test_a_metric_of_some_windows_alone_is_not_comparable(checked: Checked, dataset: str) -> None:
    whole = lpips_cell(dataset=dataset, is_complete=True)
    highest = sorted(WINDOWS, key=lambda name: -np.mean(WINDOWS[name]))[:10]
    printed = published("lpips-vgg", figure_of(whole, "lpips-vgg"), dataset=dataset)
    assert checked(printed, [whole]).agreement.verdict == "reproduced"
    found = checked(printed, [without(whole, "lpips-vgg", highest)])
    assert (found.agreement.verdict, found.agreement.reason) == ("not comparable", "measured on 40 of 60 windows")
    assert found.measured.num_sources == 20


SWITCHES: dict[str, tuple[Callable[[], list[CellResults]], str, Callable[[list[CellResults]], float]]] = {
    "LPIPS backbone: AlexNet": (
        lambda: [lpips_cell(is_complete=True)],
        "lpips-vgg",
        lambda cells: figure_of(cells[0], "lpips-alex"),
    ),
    "PSNR average: dB of the mean squared error of all frames": (
        lambda: [released_cell(WINDOWS, is_complete=True)],
        "psnr",
        lambda cells: figure_of(cells[0], "psnr-pooled"),
    ),
    "PSNR average: dB of each window's mean squared error, then their mean": (
        lambda: [released_cell(WINDOWS, is_complete=True)],
        "psnr",
        lambda cells: figure_of(cells[0], "psnr-clip"),
    ),
    "frames: the first window of each video alone": (
        lambda: [released_cell(WINDOWS, is_complete=True)],
        "psnr",
        lambda cells: next(
            one.sums.value for one in readings(cells[0], "psnr") if one.sums and "first window" in one.words
        ),
    ),
    **{
        f"{switch}: {next(iter(change))}={next(iter(change.values())) if switch != 'float or 8 bits' else 'true'}": (
            lambda change=change: [
                released_cell(WINDOWS, is_complete=True),
                released_cell(scaled(WINDOWS, 1.3), is_complete=True, protocol=VIDTOK.derive(crop="center-floor")),
                released_cell(scaled(WINDOWS, 0.8), is_complete=True, protocol=VIDTOK.derive(**change)),
            ],
            "psnr",
            lambda cells: figure_of(cells[2], "psnr"),
        )
        for switch, change in (
            ("crop", {"crop": "top-left"}),
            ("rate", {"subsampling": 2}),
            ("float or 8 bits", {"round_to_uint8": True}),
            ("frames", {"max_frames": 17}),
            ("size", {"height": 128}),
        )
    },
}


@pytest.mark.parametrize("name", SWITCHES)
def test_the_switch_that_gives_the_published_figure_is_named(name: str, checked: Checked) -> None:
    make, metric, value = SWITCHES[name]
    cells = make()
    printed = published(metric, value(cells), decimals=5)
    found = checked(printed, cells)
    assert found.agreement.verdict in ("not reproduced", "contradicted")
    assert found.switches == (f"{name} gives {printed.figure.value:.5f}",)
    assert f"{name} gives" in check_frame([found])["explained_by"][0]


def test_a_convention_of_some_windows_alone_explains_nothing(checked: Checked) -> None:
    highest = sorted(WINDOWS, key=lambda name: -np.mean(WINDOWS[name]))[:10]
    cell = without(lpips_cell(is_complete=True), "lpips-alex", highest)
    found = checked(published("lpips-vgg", figure_of(cell, "lpips-alex"), decimals=5), [cell])
    assert (found.agreement.verdict, found.switches) == ("contradicted", ())


def test_a_difference_that_nothing_explains_has_no_switch(checked: Checked) -> None:
    cell = released_cell(WINDOWS, is_complete=True)
    found = checked(published(value=3.0), [cell])
    assert (found.agreement.verdict, found.switches) == ("contradicted", ())


def test_settings_are_switches_too(checked: Checked) -> None:
    spec = {"regularizer": "kl"}
    sampled = released_cell(WINDOWS, is_complete=True, spec=spec, settings={"posterior": "sample", "seed": 42})
    means = released_cell(scaled(WINDOWS, 0.9), is_complete=True, spec=spec)
    value = figure_of(means, "psnr")
    assert checked(published(value=value), [sampled]).switches == ()
    found = checked(published(value=value), [sampled, means])
    assert found.switches == (f"mean or sampled latents: posterior=mode gives {value:.4f}",)
    alone = checked(published(value=value), [means])
    assert alone.agreement.verdict == "not comparable"
    assert "--set posterior=sample --set seed=42" in alone.agreement.reason


def test_another_protocol_is_not_comparable_and_names_what_differs(checked: Checked) -> None:
    protocol = VIDTOK.derive(height=64, width=64, colour_matrix="bt709")
    found = checked(published(), [released_cell(WINDOWS, protocol=protocol)])
    assert found.agreement.verdict == "not comparable"
    assert "measured with height=64, width=64: needs a run with --protocol vidtok" in found.agreement.reason
    assert "colour_matrix" not in found.agreement.reason


def test_what_agrees_under_another_protocol_names_that_protocol(checked: Checked) -> None:
    cell = released_cell(WINDOWS, protocol=VIDTOK.derive(crop="top-left"), is_complete=True)
    own = checked(published(value=figure_of(cell, "psnr")), [cell])
    assert own.agreement.verdict == "not comparable"
    assert own.switches == (
        f"PSNR average: mean of dB over frames under vidtok[crop=top-left] gives {own.measured.value:.4f}",
    )
    pooled = checked(published(value=figure_of(cell, "psnr-pooled")), [cell])
    assert [" all frames under vidtok[crop=top-left] gives " in switch for switch in pooled.switches] == [True]


def test_a_protocol_that_only_has_the_name_is_not_comparable(checked: Checked) -> None:
    other = VIDTOK.model_copy(update={"crop": "top-left"})
    found = checked(published(), [released_cell(WINDOWS, protocol=other, is_complete=True)])
    assert "measured with crop=top-left" in found.agreement.reason
    of_dataset = VIDTOK.model_copy(update={"colour_matrix": "bt709"})
    cell = released_cell(WINDOWS, protocol=of_dataset, is_complete=True)
    assert checked(published(value=figure_of(cell, "psnr")), [cell]).agreement.verdict == "reproduced"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tokenizer": "mine", "spec": {"stand_in_for": MODEL}}, f"mine stands in for {MODEL}, and is another model"),
        ({"weights": "random:0"}, "its weights are random"),
        ({"settings": {"tile_size": 64}}, "measured with tile_size=64, which the source doesn't say"),
    ],
)
def test_another_model_or_another_way_to_run_it_is_not_comparable(
    checked: Checked, changes: dict[str, Any], words: str
) -> None:
    cell = released_cell(WINDOWS, is_complete=True, **changes)
    found = checked(published(value=figure_of(cell, "psnr")), [cell])
    assert (found.agreement.verdict, found.agreement.reason) == ("not comparable", words)
    assert found.measured.value == pytest.approx(figure_of(cell, "psnr"))


def test_what_was_not_measured_says_how_to_measure_it(checked: Checked) -> None:
    found = checked(published("lpips-vgg", 0.1), [released_cell(WINDOWS, is_complete=True)])
    assert found.agreement.verdict == "not comparable"
    assert found.agreement.reason == "not measured: give the command of the run once more with -m lpips-vgg"


def test_an_unstated_convention_is_not_comparable_but_the_one_that_fits_is_named(checked: Checked) -> None:
    cell = lpips_cell(is_complete=True)
    unstated = {"note": "the source doesn't state its convention", "decimals": 5}
    found = checked(published("lpips-unstated", figure_of(cell, "lpips-alex"), **unstated), [cell])
    assert (found.agreement.verdict, found.agreement.reason) == ("not comparable", unstated["note"])
    assert found.switches == (f"LPIPS backbone: AlexNet gives {found.published.figure.value:.5f}",)
    first = checked(published("lpips-unstated", figure_of(cell, "lpips-vgg"), **unstated), [cell])
    assert first.switches == (f"LPIPS backbone: VGG-16 gives {first.published.figure.value:.5f}",)
    assert checked(published("lpips-unstated", 0.9, **unstated), [cell]).switches == ()


@pytest.mark.parametrize(
    ("millions", "printed", "note", "verdict"),
    [
        (157.62, 157, "", "reproduced"),
        (157.62, 159, "", "contradicted"),
        (53.71, 51, "the source divides by 2^20: 53.71 million parameters", "reproduced"),
        (53.71, 54, "the source divides by 2^20: 53.71 million parameters", "contradicted"),
    ],
)
def test_parameters_are_compared_in_the_unit_of_the_source(
    checked: Checked, millions: float, printed: float, note: str, verdict: str
) -> None:
    cell = released_cell(WINDOWS, protocol=VIDTOK.derive(height=64))
    cell = replace(cell, cell=replace(cell.cell, facts={"params_total": millions * 1e6}))
    fields = {"dataset": "", "protocol": "", "title": "Params", "unit": "M", "note": note}
    found = checked(published("params", printed, decimals=0, **fields), [cell])
    assert found.agreement.verdict == verdict


KL = "vidtok_kl_causal_488_4chn"


def of_model(dataset: str, **options: Any) -> CellResults:
    cell = released_cell(WINDOWS, tokenizer=KL, dataset=dataset, spec={"regularizer": "kl"}, **options)
    facts = {"params_total": 157e6, "macs_total": 10.345e12}
    return replace(cell, cell=replace(cell.cell, facts=facts, metrics=(*cell.cell.metrics, "macs", "params")))


def checks_of_model(*cells: CellResults) -> list[tuple[str, str, str]]:
    checks = [check for check in check_published(run_of(*cells)) if check.published.figure.metric in ("macs", "params")]
    return [(check.published.figure.metric, check.label, check.agreement.verdict) for check in checks]


def test_a_figure_of_the_model_is_checked_once() -> None:
    sampled = of_model("webvid-val", settings={"posterior": "sample", "seed": 42})
    cells = [
        of_model("mcl-jcv", protocol=VIDTOK.derive(height=64)),
        of_model("mcl-jcv"),
        of_model("webvid-val"),
        sampled,
    ]
    assert checks_of_model(*cells) == [
        ("params", cells[0].label, "reproduced"),
        ("macs", cells[1].label, "reproduced"),
    ]


def test_a_figure_of_the_model_comes_from_the_first_cell_that_has_it() -> None:
    later = of_model("webvid-val")
    failed = replace(later.cell, cell_id="failed", facts={}, status="failed", reason="out of memory", label="first")
    first = replace(later, cell=failed, rows=[], measurements={})
    assert checks_of_model(first, later) == [(metric, KL, "reproduced") for metric in ("params", "macs")]
    counted = replace(first, cell=replace(failed, facts=later.cell.facts))
    assert checks_of_model(counted, later) == checks_of_model(first, later)
    assert checks_of_model(first) == [(metric, "first", "not comparable") for metric in ("params", "macs")]


def test_a_suite_with_published_rows_gets_a_verdict_for_every_row_of_the_table() -> None:
    suite = Suite(name="s", datasets=("mcl-jcv",), tokenizers=(MODEL,), metrics=("psnr",), published=True)
    found = check_published(run_of(released_cell(WINDOWS, is_complete=True), suite=suite))
    rows = {check.published.figure.label for check in found if check.published.figure.citation.endswith("Table 1")}
    assert len(rows) == 12
    of_magvit = next(check for check in found if check.published.figure.system == "MAGVIT-v2")
    assert of_magvit.agreement.reason == "its weights aren't public"
    assert counts(found)["not comparable"] + counts(found)["contradicted"] == len(found)
    without = check_published(run_of(released_cell(WINDOWS, is_complete=True)))
    assert {check.published.tokenizer for check in without} == {MODEL}


def test_every_published_figure_with_a_card_is_known_once() -> None:
    keys = [
        (one.tokenizer, one.figure.dataset, one.figure.title, one.figure.value)
        for one in figures_by_card()
        if one.tokenizer
    ]
    assert len(keys) == len(set(keys)) > 200
    figures: dict[tuple[str, str, str], list[Figure]] = {}
    for one in figures_by_card():
        figures.setdefault((one.tokenizer, one.figure.dataset, one.figure.metric), []).append(one.figure)
    assert [figure.value for figure in figures[MODEL, "mcl-jcv", "psnr"]] == [28.36]
    assert [figure.value for figure in figures["vidtok_lfq_causal_488_262144", "mcl-jcv", "codebook-utilization"]] == [
        99.9
    ]
    assert [figure.value for figure in figures["vidtok_ablation_1_fully_3d", "", "macs"]] == [16.98]
    assert [figure.value for figure in figures["vidtok_kl_noncausal_488_4chn", "mcl-jcv", "lpips-vgg"]] == [0.098]
