import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from toklab.reports.charts.radar import build_radar, radar_json
from toklab.reports.charts.radar_drawing import INNER, draw_radar, polygon_points
from toklab.reports.charts.scales import AxisScale, axis_position, axis_scales, is_clipped
from toklab.reports.identity import PUBLISHED_DASH, identify
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


@given(value=st.floats(1e-3, 1e9), flip=st.booleans())
def test_scales_of_decades_are_logarithmic(value, flip):
    scale = AxisScale(*((100_000.0, 10.0) if flip else (10.0, 100_000.0)), "test")
    assert scale.is_logarithmic
    share = min(1.0, max(0.0, (math.log10(value) - 1) / 4))
    assert axis_position(value, scale) == pytest.approx(1 - share if flip else share)


def test_only_scales_of_decades_are_logarithmic():
    assert not AxisScale(10.0, 999.0, "test").is_logarithmic
    assert not AxisScale(0.0, 1e6, "test").is_logarithmic
    assert not AxisScale(-1.0, 1e6, "test").is_logarithmic
    assert axis_position(-5.0, AxisScale(1.0, 1000.0, "test")) == 0
    assert axis_position(-5.0, AxisScale(1000.0, 1.0, "test")) == 1


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
    assert [axis.metric for axis in chart.axes] == ["psnr", "ssim", "flicker"]
    model = chart.panels[0].models[1]
    points = polygon_points(model, chart.axes)
    shares, angles = ((34.87 - 20) / 20, (0.931 - 0.6) / 0.4, 1 - 0.009 / 0.05), (90, -30, 210)
    for point, share, angle in zip(points, shares, angles, strict=True):
        radius = INNER + (1 - INNER) * share
        expected = [radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))]
        np.testing.assert_allclose(point, expected, atol=1e-12)
    points = polygon_points(replace(model, values=(30.0, None, None)), chart.axes)
    assert np.isnan(points).any(axis=1).tolist() == [False, True, True]


def test_an_axis_that_nothing_was_measured_on_is_left_out_and_named(figures):
    chart = build_radar(figures, ["psnr", "ssim", "flicker", "lpips-vgg", "fvd-i3d"])
    assert [axis.metric for axis in chart.axes] == ["psnr", "ssim", "flicker"]
    hints = ["toklab weights pull lpips-vgg", "toklab weights pull fvd-i3d"]
    assert [axis.unavailable for axis in chart.missing] == hints
    drawing = draw_radar(chart)
    below = " ".join(text.get_text() for text in drawing.texts).replace("\n", " ")
    assert all(hint in below for hint in hints)
    headings = [text.get_text() for canvas in drawing.axes for text in canvas.texts]
    assert headings == ["PSNR ↑", "SSIM ↑", "Flicker ↓"] * 3
    assert [axis["metric"] for axis in json.loads(radar_json(chart))["missing"]] == ["lpips-vgg", "fvd-i3d"]


def test_systems_look_as_in_every_chart_and_published_ones_are_hollow_and_dotted(figures, assert_printable):
    moved = [replace(f, dataset=f.dataset and "mcl-jcv") for f in figures]
    both = with_published(moved, vidtok_table1({"vidtok": "0123456789ab"}))
    chart = build_radar(both, ["psnr", "ssim", "flicker"])
    identities = identify(both)
    drawing = draw_radar(chart)
    assert_printable(drawing)
    num_published = 0
    for panel, canvas in zip(chart.panels, drawing.axes, strict=True):
        for model in panel.models:
            known = identities.published if model.published else identities
            assert model.identity == known[model.identity.label]
            num_published += model.published
            assert model.published == model.title.endswith("†")
            (line,) = [line for line in canvas.lines if line.get_label() == model.title]
            assert line.get_color() == model.identity.colour
            marks = [line for line in canvas.lines if line.get_markeredgecolor() == model.identity.colour]
            corners = [line for line in marks if line.get_marker() == model.identity.marker]
            assert any((line.get_markerfacecolor() == "white") == model.published for line in corners)
            assert (model.identity.dash == PUBLISHED_DASH) == model.published
    assert num_published > 3
    assert any(note.startswith("MAGVIT-v2: protocol") for note in chart.notes)
    names = {text.get_text() for text in drawing.texts}
    for title in (model.title for panel in chart.panels for model in panel.models):
        assert title in names or any("…" in name and title.startswith(name.split("…")[0]) for name in names)


def test_every_paper_whose_figures_are_drawn_is_named(figures, figure):
    published = [
        figure(tokenizer=source, label=source, metric=metric, value=0.5, origin="published", citation=source)
        for source in ("Doe, arXiv:1, Table 1", "Doe, arXiv:1, Table 2", "A README")
        for metric in ("psnr", "ssim")
    ]
    notes = build_radar([*figures, *published]).notes
    assert notes[0] == "† dotted: published, not measured here (Doe, arXiv:1; A README)."


def test_values_beyond_an_end_are_marked_there_in_their_own_colour(figures):
    scales = {"psnr": AxisScale(9.5, 30.0, "test"), "ssim": AxisScale(0.0, 1.0, "test")}
    chart = build_radar(figures, scales=scales)
    drawing = draw_radar(chart)
    assert any("beyond that end of the scale" in text.get_text() for text in drawing.texts)
    discrete = chart.panels[0].models
    colours = {model.title: model.identity.colour for model in discrete}
    # PSNR alone: 9.21 is worse than the worst end, 34.87 better than the best one, and the axis points up.
    found = {colour: (angle, height) for colour, angle, _, height in _triangles(drawing)}
    assert found[colours["H.264 (x264 slow)"]] == (pytest.approx(0), pytest.approx(1))
    angle, height = found[next(colour for title, colour in colours.items() if title.startswith("VidTok"))]
    assert (angle % 360, height) == (pytest.approx(180), pytest.approx(INNER))


def test_marks_beyond_one_end_stand_side_by_side(figures):
    drawing = draw_radar(build_radar(figures, scales=dict.fromkeys(("psnr", "ssim"), AxisScale(0.0, 1.0, ""))))
    marks = _triangles(drawing)
    assert len({x for _, _, x, _ in marks}) == len(marks) == 2


def _triangles(drawing: Figure) -> list[tuple[str, float, float, float]]:
    """Colour, angle and place of each mark of a value beyond an end, in the first panel."""
    found = []
    for line in drawing.axes[0].lines:
        marker: Any = line.get_marker()
        if isinstance(marker, tuple):
            (x,), (y,) = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            found.append((str(line.get_markeredgecolor()), float(marker[2]), float(x), float(y)))
    return found


def test_groups_with_systems_have_panels_and_others_none(figures, figure):
    extra = [
        figure(tokenizer="eight", group="continuous-8", metric=m, value=v) for m, v in (("psnr", 30.0), ("ssim", 0.9))
    ]
    kept = [f for f in figures if f.group != "discrete"]
    titles = [panel.title for panel in build_radar([*kept, *extra]).panels]
    assert titles == ["Continuous, 4 channels", "Continuous, 8 channels", "Continuous, 16 channels"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 4, 7])
def test_everything_is_on_the_picture_and_apart(figure, number, assert_printable):
    figures = [
        figure(tokenizer=f"{n}", system=f"system {n} " + "long " * 20, group=f"continuous-{n}", metric=metric,
               value=0.5 + n, dataset=dataset)
        for n in range(number)
        for dataset in ("mcl-jcv", "a dataset with a long name")
        for metric in ("psnr", "ssim", "flicker")
    ]  # fmt: skip
    chart = build_radar(figures)
    assert len(chart.axes) == 4
    assert_printable(draw_radar(chart))


def test_metrics_can_be_chosen_and_fewer_than_three_are_refused(figures):
    chosen = build_radar(figures, ["flicker", "psnr", "ssim"])
    assert {axis.metric for axis in chosen.axes} == {"flicker", "psnr", "ssim"}
    with pytest.raises(TableError, match="needs 3 measured metrics with a scale, and has: psnr;"):
        build_radar(figures, ["psnr", "params"])


def test_scales_are_stored_and_can_be_given(figures):
    given_scale = AxisScale(0.0, 100.0, "by hand")
    stored = json.loads(radar_json(build_radar(figures, scales={"psnr": given_scale})))
    assert (stored["axes"][0]["worst"], stored["axes"][0]["best"]) == (0.0, 100.0)
    assert stored["axes"][0]["protocol_hash"] == "0123456789ab"
