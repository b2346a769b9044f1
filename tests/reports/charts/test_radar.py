import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.reports.charts.palette import COLOURS, system_colours
from toklab.reports.charts.radar import build_radar, radar_json
from toklab.reports.charts.radar_drawing import draw_radar, polygon_points
from toklab.reports.charts.scales import AxisScale, axis_position, axis_scales, is_clipped
from toklab.reports.published.literature import vidtok_table1, with_published
from toklab.reports.schema import TableError

number = st.floats(-1e6, 1e6)


@given(value=number, worst=number, length=st.floats(1e-3, 1e6), sign=st.sampled_from((-1, 1)))
def test_positions_are_fractions_of_the_axis_with_better_outward(value, worst, length, sign):
    scale = AxisScale(worst, worst + sign * length, "test")
    position = axis_position(value, scale)
    assert 0 <= position <= 1
    assert axis_position(scale.worst, scale) == 0
    assert axis_position(scale.best, scale) == pytest.approx(1)
    assert axis_position(value + sign * length / 3, scale) >= position
    assert is_clipped(value, scale) == (value < min(scale.worst, scale.best) or value > max(scale.worst, scale.best))


def test_a_missing_value_has_no_position():
    assert math.isnan(axis_position(math.nan, AxisScale(0, 1, "test")))


def test_scales_hold_the_published_range_with_room_at_both_ends():
    figures = vidtok_table1()
    scales = axis_scales(figures)
    assert len(scales) == 8
    for figure in figures:
        if figure.dataset:
            scale = scales[figure.dataset, figure.title]
            assert 0.1 < axis_position(figure.value, scale) <= 1
            assert not is_clipped(figure.value, scale)
            assert (scale.best > scale.worst) == (figure.direction == "higher")


def test_scales_without_published_figures_are_the_metrics_own(figures):
    scale = axis_scales(figures)["sample", "PSNR"]
    assert (scale.worst, scale.best) == (20.0, 40.0)
    assert ("", "Params") not in axis_scales(figures)


def test_another_model_moves_no_polygon(figures, figure):
    before = build_radar(figures)
    extreme = [
        figure(tokenizer="extreme", group="continuous-4", metric=metric, value=value)
        for metric, value in (("psnr", 70.0), ("ssim", 0.1), ("flicker", 9.0))
    ]
    after = build_radar([*figures, *extreme])
    assert [axis.scale for axis in after.axes] == [axis.scale for axis in before.axes]
    drawn = {(p.title, m.title): polygon_points(m, after.axes) for p in after.panels for m in p.models}
    for panel in before.panels:
        for model in panel.models:
            np.testing.assert_array_equal(polygon_points(model, before.axes), drawn[panel.title, model.title])


def test_polygons_follow_the_axes_and_break_where_a_value_is_missing(figures):
    chart = build_radar(figures)
    assert [axis.metric for axis in chart.axes] == ["psnr", "ssim", "lpips-vgg", "fvd-i3d"]
    points = polygon_points(chart.panels[0].models[1], chart.axes)
    np.testing.assert_allclose(points[0], [0, (34.87 - 20) / 20], atol=1e-12)
    np.testing.assert_allclose(points[1], [(0.931 - 0.6) / 0.4, 0], atol=1e-12)
    assert np.isnan(points[2:]).all()


def test_an_unavailable_axis_stays_with_its_hint(figures):
    chart = build_radar(figures)
    assert [axis.unavailable for axis in chart.axes] == [
        "", "", "toklab weights pull lpips-vgg", "toklab weights pull fvd-i3d",
    ]  # fmt: skip
    texts = [text.get_text().replace("\n", " ") for axes in draw_radar(chart).axes for text in axes.texts]
    assert sum("toklab weights pull lpips-vgg" in text for text in texts) == 3


def test_published_models_are_dashed_and_explained(figures):
    moved = [replace(f, dataset=f.dataset and "mcl-jcv") for f in figures]
    chart = build_radar(with_published(moved, vidtok_table1({"vidtok": "0123456789ab"})))
    for panel, canvas in zip(chart.panels, draw_radar(chart).axes, strict=True):
        lines = {line.get_label(): line.get_linestyle() for line in canvas.lines}
        for model in panel.models:
            assert lines[model.title] == ("--" if model.published else "-")
            assert model.published == model.title.endswith("†")
    assert any("doesn't state its convention" in note for note in chart.notes)
    assert any(note.startswith("MAGVIT-v2: protocol") for note in chart.notes)


def test_values_beyond_the_scale_are_marked(figures):
    figure = draw_radar(build_radar(figures))
    assert any("beyond the end of the scale" in text.get_text() for text in figure.texts)
    assert any(line.get_marker() == "^" and len(np.atleast_1d(line.get_xdata())) for line in figure.axes[0].lines)


def test_the_triplet_is_complete_and_further_groups_are_added(figures, figure):
    extra = [
        figure(tokenizer="eight", group="continuous-8", metric=m, value=v) for m, v in (("psnr", 30.0), ("ssim", 0.9))
    ]
    kept = [f for f in figures if f.group != "discrete"]
    titles = [panel.title for panel in build_radar([*kept, *extra]).panels]
    assert titles == ["Discrete", "Continuous, 4 channels", "Continuous, 8 channels", "Continuous, 16 channels"]


def test_metrics_can_be_chosen_and_fewer_than_three_are_refused(figures):
    chosen = build_radar(figures, ["flicker", "psnr", "ssim"])
    assert {axis.metric for axis in chosen.axes} == {"flicker", "psnr", "ssim"}
    with pytest.raises(TableError, match="needs 3 metrics with a scale, and has: psnr;"):
        build_radar(figures, ["psnr", "params"])


def test_scales_are_stored_and_can_be_given(figures):
    given_scale = AxisScale(0.0, 100.0, "by hand")
    stored = json.loads(radar_json(build_radar(figures, scales={("sample", "PSNR"): given_scale})))
    assert (stored["axes"][0]["worst"], stored["axes"][0]["best"]) == (0.0, 100.0)
    assert stored["axes"][0]["protocol_hash"] == "0123456789ab"


def test_systems_of_one_panel_have_different_colours():
    systems = [f"system {i}" for i in range(14)]
    panels = [systems[:8], systems[6:]]
    colours = system_colours(systems, panels)
    for panel in panels:
        assert len({colours[system] for system in panel}) == len(panel)
    assert [colours[s] for s in systems[:10]] == list(COLOURS)
