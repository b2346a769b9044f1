"""What a frame of the side-by-side video looks like: panes with their names and numbers, and PSNR over time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, ImageDraw, ImageFont

from ...reports.charts.strips import ERROR_COLOURS, error_map
from ...reports.identity import Identity
from ...reports.text import one_line

ERROR_LIMIT = 50
"""Differences from this many 8-bit levels on have the brightest colour, in every video."""
LEAST_PANE = 128
"""Pixels that a pane is wide at least, so that names and numbers fit above it; smaller frames are magnified."""
GAP = 4
"""Pixels between panes."""
SWATCH = 16
"""Height of the sample of a system's line, above its name."""
CHART_HEIGHT = 120
CHART_EDGES = (40, 12, 26, 12)
"""Pixels around the curves: left, right, top, bottom."""
DPI = 100
SMALL_SIZE = 11
SMALL_LINE = SMALL_SIZE + 3
LEAST_SCALE = 96
"""Height of the scale of the errors at least."""
BACKGROUND = "#ffffff"
FOREGROUND = "#16191d"
SECOND = "#5a6068"
"""Text of second rank."""
GRID = "#d5d8dc"
ORIGINAL = "Original"
CHART_TITLE = "PSNR of every frame (dB)"
SCALE_WORDS = ("|error|:", "mean of", "R, G, B,", "in 8-bit", "levels")
MARKERS_A_LINE = 6
"""About so many markers are on each curve."""


class SideBySidePage:
    """Draws the frames of one video, all of one size."""

    def __init__(self, identities: Sequence[Identity], psnr: Mapping[str, Sequence[float]], height: int, width: int):
        """Lay out a page.

        Args:
            identities: of the systems, in the order of their panes.
            psnr: dB of every frame of the video, by label.
            height: of a frame, pixels.
            width: of a frame.
        """
        self._identities = list(identities)
        self._psnr = psnr
        self._num_frames = len(next(iter(psnr.values())))
        self._zoom = math.ceil(LEAST_PANE / width)
        self._pane = (width * self._zoom, height * self._zoom)
        size = max(12, min(18, self._pane[0] // 16))
        self._text, self._strong, self._small = _font(size), _font(size + 1, bold=True), _font(SMALL_SIZE)
        self._line = size + 4
        self._names = [self._wrapped(name, self._text) for name in (ORIGINAL, *(each.short for each in identities))]
        self._labels = [
            self._wrapped(each.label, self._small) if each.label != each.short else [] for each in identities
        ]
        columns = len(self._names)
        heights = [
            len(name) * self._line + len(label) * SMALL_LINE
            for name, label in zip(self._names, [[], *self._labels], strict=True)
        ]
        self._frames_top = SWATCH + max(heights) + self._line + 4
        self._errors_top = self._frames_top + self._pane[1] + GAP
        self._chart_top = self._errors_top + max(self._pane[1], LEAST_SCALE) + GAP
        # An odd row or column would be cut off, as H.264 halves the resolution of colours.
        self.width = _even(columns * self._pane[0] + (columns - 1) * GAP)
        self.height = _even(self._chart_top + CHART_HEIGHT)
        self._colours = (matplotlib.colormaps[ERROR_COLOURS](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
        self._page = self._empty_page()

    def draw(self, index: int, reference: np.ndarray, made: Mapping[str, np.ndarray]) -> np.ndarray:
        """A frame of the video: uint8 RGB, (height, width, 3).

        Args:
            index: of the frame, from 0.
            reference: uint8 RGB, (H, W, 3).
            made: what the systems make of it, by label.
        """
        page = self._page.copy()
        draw = ImageDraw.Draw(page)
        second_line = self._frames_top - self._line - 2
        draw.text((2, second_line), f"frame {index + 1}/{self._num_frames}", fill=SECOND, font=self._text)
        page.paste(self._magnified(reference), (0, self._frames_top))
        for column, identity in enumerate(self._identities, 1):
            left = self._left(column)
            value = self._psnr[identity.label][index]
            draw.text((left + 2, second_line), f"{value:.2f} dB", fill=FOREGROUND, font=self._strong)
            frame = made[identity.label]
            page.paste(self._magnified(frame), (left, self._frames_top))
            levels = np.minimum(error_map(reference, frame) * 255 / ERROR_LIMIT, 255).round().astype(np.uint8)
            page.paste(self._magnified(self._colours[levels]), (left, self._errors_top))
        left, right, top, bottom = CHART_EDGES
        x = left + (self.width - left - right) * (index + 0.5) / self._num_frames
        draw.line([(x, self._chart_top + top - 4), (x, self._chart_top + CHART_HEIGHT - bottom)], fill=FOREGROUND)
        return np.asarray(page)

    def _empty_page(self) -> Image.Image:
        page = Image.new("RGB", (self.width, self.height), BACKGROUND)
        draw = ImageDraw.Draw(page)
        for column, name in enumerate(self._names):
            left = self._left(column) + 2
            for number, line in enumerate(name):
                draw.text((left, SWATCH + number * self._line), line, fill=FOREGROUND, font=self._text)
            if column:
                page.paste(self._sample(self._identities[column - 1]), (self._left(column), 0))
                top = SWATCH + len(name) * self._line
                for number, line in enumerate(self._labels[column - 1]):
                    draw.text((left, top + number * SMALL_LINE), line, fill=SECOND, font=self._small)
        self._draw_scale(page, draw)
        page.paste(self._chart(), (0, self._chart_top))
        return page

    def _draw_scale(self, page: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        """The scale of the error maps, beside them: below the original, which has none."""
        first = self._errors_top + 8
        last = self._errors_top + max(self._pane[1], LEAST_SCALE) - 8
        bar = np.linspace(255, 0, last - first).round().astype(np.uint8)
        page.paste(Image.fromarray(np.repeat(self._colours[bar][:, None], 14, 1)), (4, first))
        for value, at in ((f"≥ {ERROR_LIMIT}", first), (f"{ERROR_LIMIT / 2:g}", (first + last) / 2), ("0", last)):
            draw.text((22, at), value, fill=FOREGROUND, font=self._small, anchor="lm")
        for number, line in enumerate(SCALE_WORDS):
            draw.text((60, first - 6 + number * (SMALL_LINE + 1)), line, fill=FOREGROUND, font=self._small)

    def _sample(self, identity: Identity) -> Image.Image:
        """A system's line as the chart draws it."""
        drawing = _drawing(self._pane[0], SWATCH)
        drawing.add_artist(Line2D([0.02, 0.98], [0.5, 0.5], markevery=[], **_style(identity)))
        drawing.add_artist(Line2D([0.5], [0.5], **_style(identity)))
        return _pixels(drawing)

    def _chart(self) -> Image.Image:
        """PSNR of every frame."""
        drawing = _drawing(self.width, CHART_HEIGHT)
        left, right, top, bottom = CHART_EDGES
        width, height = self.width - left - right, CHART_HEIGHT - top - bottom
        canvas = drawing.add_axes((left / self.width, bottom / CHART_HEIGHT, width / self.width, height / CHART_HEIGHT))
        low, high = self._limits()
        canvas.set_ylim(low, high)
        canvas.set_xlim(-0.5, self._num_frames - 0.5)
        canvas.set_xticks([])
        canvas.set_yticks([low, (low + high) / 2, high], [f"{value:g}" for value in (low, (low + high) / 2, high)])
        canvas.tick_params(length=0, labelsize=_points(SMALL_SIZE), labelcolor=FOREGROUND)
        canvas.grid(axis="y", color=GRID, linewidth=_points(1))
        canvas.set_axisbelow(True)
        canvas.set_frame_on(False)
        step = max(1, self._num_frames // MARKERS_A_LINE)
        for number, identity in enumerate(self._identities):
            # Each system's markers are elsewhere, so that curves on top of each other show all of theirs.
            start = min(number * step // len(self._identities), self._num_frames - 1)
            canvas.plot(self._psnr[identity.label], markevery=(start, step), clip_on=False, **_style(identity))
        drawing.text(
            2 / self.width, 1 - 4 / CHART_HEIGHT, CHART_TITLE, va="top", fontsize=_points(SMALL_SIZE), color=FOREGROUND
        )
        return _pixels(drawing)

    def _limits(self) -> tuple[int, int]:
        """Whole decibels that hold all values, an even number of them apart."""
        values = [value for each in self._psnr.values() for value in each]
        low, high = math.floor(min(values)), math.ceil(max(values))
        return low, max(high + (high - low) % 2, low + 2)

    def _left(self, column: int) -> int:
        return column * (self._pane[0] + GAP)

    def _magnified(self, frame: np.ndarray) -> Image.Image:
        return Image.fromarray(frame).resize(self._pane, Image.Resampling.NEAREST)

    def _wrapped(self, name: str, font: ImageFont.FreeTypeFont) -> list[str]:
        """A name in lines as wide as a pane, all of it: see :func:`wrapped`."""
        return wrapped(name, font, self._pane[0] - 4)


def wrapped(name: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """A text in lines of at most ``width`` pixels, all of it.

    Lines break between words; in words that are too long after hyphens and underscores, and anywhere in the rest.
    """

    def fits(words: str) -> bool:
        return font.getlength(words.rstrip()) <= width

    lines = [""]
    for word in re.findall(r"[^ ]* ?", one_line(name)):
        for part in [word] if fits(word) else re.findall(r"[^_-]*[_-]?", word):
            if fits(lines[-1] + part):
                lines[-1] += part
                continue
            lines += [""] if lines[-1] else []
            for character in part:
                if not fits(lines[-1] + character):
                    lines.append("")
                lines[-1] += character
    return [line.rstrip() for line in lines]


def _style(identity: Identity) -> dict[str, Any]:
    """How matplotlib draws a system's line."""
    return {
        "color": identity.colour,
        "marker": identity.marker,
        "markersize": 4.5,
        "linestyle": (0, identity.dash) if identity.dash else "-",
        "linewidth": _points(2),
    }


def _drawing(width: int, height: int) -> Figure:
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=BACKGROUND)


def _pixels(drawing: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _points(pixels: float) -> float:
    return pixels * 72 / DPI


def _even(length: int) -> int:
    return length + length % 2


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans out of matplotlib's data: Pillow's own font lacks ≥ and …"""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", name), size)
