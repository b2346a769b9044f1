"""Frames of the side-by-side video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps
from toklab.bench.execution.side_by_side_page import (
    CHART_HEIGHT,
    ERROR_LIMIT,
    GAP,
    LEAST_PANE,
    SideBySidePage,
    _font,
    wrapped,
)
from toklab.reports.identity import Identity, identify
from toklab.reports.schema import Figure
from toklab.reports.text import one_line

WHITE = 255


def identities(names: Sequence[str]) -> list[Identity]:
    """Systems of these names."""
    figures = [
        Figure(
            system=name,
            tokenizer=f"tokenizer-{i}",
            label=f"tokenizer-{i}",
            regularizer="",
            group="g",
            weights="none",
            dataset="",
            protocol="",
            protocol_hash="",
            metric="psnr",
            title="PSNR",
            direction="higher",
        )
        for i, name in enumerate(names)
    ]
    return list(identify(figures).values())


def pixels(height: int, width: int, count: int) -> np.ndarray:
    """Frames of noise, the original first."""
    return np.random.default_rng(0).integers(0, 256, (count + 1, height, width, 3), dtype=np.uint8)


LONG = "vidtok_kl_causal_488_16chn_with_a_name_of_somebody_who_likes_long_ones"


@pytest.mark.parametrize("names", [["A", LONG], ["A", "B", "VidTok (small) FSQ-262,144"], ["W" * 60, LONG, *"abcde"]])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (45, 80), (16, 16), (256, 256), (33, 131)])
def test_panes_are_whole_and_nothing_is_empty(names: list[str], height: int, width: int) -> None:
    systems = identities(names)
    reference, *made = pixels(height, width, len(names))
    psnr = {each.label: [20.0 + 8 * number, 80.0 - 9 * number, 3.25] for number, each in enumerate(systems)}
    page = SideBySidePage(systems, psnr, height, width)
    shown = page.draw(1, reference, {each.label: frame for each, frame in zip(systems, made, strict=True)})
    assert shown.shape == (page.height, page.width, 3)
    assert (page.height % 2, page.width % 2) == (0, 0)
    zoom = -(-LEAST_PANE // width)
    pane_height, pane_width = zoom * height, zoom * width
    top = next(
        row
        for row in range(page.height)
        if np.array_equal(shown[row : row + pane_height, :pane_width], magnified(reference, zoom))
    )
    below = top + pane_height + GAP
    colours = (colormaps["inferno"](np.arange(256))[:, :3] * 255).round()
    for column, frame in enumerate(made, 1):
        left = column * (pane_width + GAP)
        across = slice(left, left + pane_width)
        np.testing.assert_array_equal(shown[top : top + pane_height, across], magnified(frame, zoom))
        errors = np.abs(frame.astype(float) - reference).mean(-1)
        levels = np.minimum(errors * 255 / ERROR_LIMIT, 255).round().astype(int)
        np.testing.assert_array_equal(shown[below : below + pane_height, across], magnified(colours[levels], zoom))
        head = shown[:top, across]
        # A sample of the line, a name and a number, all of it within the pane: the last columns are white.
        assert (head[:16] < WHITE).any()
        assert (head[16:] < 128).all(-1).any()
        assert (shown[17:top, left + pane_width : left + pane_width + GAP] == WHITE).all()
    beside = shown[below : below + 90, :pane_width]
    assert len(np.unique(beside.reshape(-1, 3), axis=0)) > 50
    chart = shown[-CHART_HEIGHT:]
    for each in systems:
        colour = np.array([int(each.colour[i : i + 2], 16) for i in (1, 3, 5)])
        assert (np.abs(chart.astype(int) - colour).sum(-1) < 12).any()


def magnified(frame: np.ndarray, zoom: int) -> np.ndarray:
    return frame.repeat(zoom, 0).repeat(zoom, 1)


def test_the_psnr_fits_above_a_pane_of_128_pixels() -> None:
    assert _font(13, bold=True).getlength("80.00 dB") < LEAST_PANE - 4
    systems = identities(["A"])
    reference, made = pixels(128, 128, 1)
    pages = {
        value: SideBySidePage(systems, {"tokenizer-0": [value, 30.0]}, 128, 128).draw(
            0, reference, {"tokenizer-0": made}
        )
        for value in (23.45, 23.46)
    }
    changed = (pages[23.45] != pages[23.46]).any(-1)
    rows, columns = np.nonzero(changed[:-CHART_HEIGHT])
    # The last digit alone is another one.
    assert 5 <= np.ptp(rows) + 1 <= 13
    assert 3 <= np.ptp(columns) + 1 <= 12


@pytest.mark.slow
@given(st.text(max_size=60), st.integers(20, 200))
def test_a_name_is_wrapped_and_never_cut(name: str, width: int) -> None:
    font = _font(12)
    lines = wrapped(name, font, width)
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)

    def letters(text: str) -> str:
        return "".join(text.split())

    assert letters("".join(lines)) == letters(one_line(name))


def test_names_break_after_hyphens_and_underscores() -> None:
    assert wrapped("vidtok-small-fsq-32768", _font(11), 124) == ["vidtok-small-fsq-", "32768"]
    assert wrapped("a 32768-bit-thing", _font(11), 60) == ["a 32768-", "bit-thing"]
    assert wrapped("VidTok (small) KL-4chn", _font(12), 124) == ["VidTok (small)", "KL-4chn"]


def test_one_frame_and_equal_values_have_a_chart() -> None:
    systems = identities(["A", "B"])
    reference, *made = pixels(16, 16, 2)
    page = SideBySidePage(systems, {each.label: [30.0] for each in systems}, 16, 16)
    shown = page.draw(0, reference, {each.label: frame for each, frame in zip(systems, made, strict=True)})
    assert (shown[-CHART_HEIGHT:] < 200).any()
