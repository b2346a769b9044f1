"""Qualitative strips: frames of the reference and of the systems side by side, with crops, error maps and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Bbox, TransformedBbox

from ..identity import Identity
from ..text import one_line
from .canvas import fit_text, text_width, wrap_text
from .palette import GREY
from .pictures import INCHES

MOST_SYSTEMS = 5
"""Beside the reference, in the width of a page."""
PANE = 1.0
"""Longer side of a frame, inches."""
GAP = 0.05
"""Between panes, inches."""
MARGIN = 0.04
"""Above and below everything, inches."""
LINE = 0.135
"""Height of a line of text, inches."""
TEXT_SIZE = 7.0
SMALL_SIZE = 6.0
MOST_NAME_LINES = 3
LEAST_ROW = 0.3
"""Height of the row of crops, where the scale of the errors has its place, inches."""
THREE_TICKS = 0.4
"""Height of that row from which the scale has a number in its middle, inches."""
BLOCK_GAP = 0.08
"""Between the frames of a strip, inches."""
CROP_COLOUR = "#FFD400"
ERROR_COLOURS = "inferno"
"""From black, no difference, to bright; its lightness rises all the way, so that it can be read in grey."""


@dataclass(frozen=True)
class Pane:
    """A frame of one system."""

    label: str
    """Of the system; empty for the reference."""
    frame: np.ndarray
    """uint8 RGB, (H, W, 3)."""
    crop: np.ndarray
    """Its magnified part, uint8 RGB."""
    error: np.ndarray | None = None
    """Absolute difference to the reference in 8-bit levels, (H, W) up to reduction; ``None`` for the reference."""
    psnr: float = math.nan
    """Of the whole frame, dB."""
    ssim: float = math.nan
    """Of the whole frame; NaN where there is none."""


@dataclass(frozen=True)
class StripFrame:
    """One frame of a video, as the reference has it and as the systems make it."""

    title: str
    """By which rule it was chosen, and which it is."""
    crop: tuple[float, float, float, float]
    """Top, left, height and width of the magnified part, as shares of the frame's sides."""
    reference: Pane
    systems: tuple[Pane, ...]
    """In one order in all frames of a strip."""


def error_map(reference: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Absolute difference of two frames in 8-bit levels, the mean of R, G and B.

    Args:
        reference: uint8 RGB, (H, W, 3).
        made: the same shape.

    Returns:
        (H, W) float64 in [0, 255].
    """
    return np.abs(made.astype(np.int16) - reference).mean(-1)


def draw_strip(
    frames: Sequence[StripFrame],
    identities: Mapping[str, Identity],
    groups: Mapping[str, str],
    error_limit: float,
) -> Figure:
    """Draw a strip: a row of panes a frame, the reference on the left.

    Args:
        frames: one or more, with the same systems, at most :data:`MOST_SYSTEMS`.
        identities: of the systems, by label.
        groups: title of each system's group, by label; equal neighbours share a heading.
        error_limit: upper end of the error maps' scale, in 8-bit levels.
    """
    return _Strip(frames, identities, groups, error_limit).draw()


class _Strip:
    """Places everything in inches from the top left corner."""

    def __init__(
        self,
        frames: Sequence[StripFrame],
        identities: Mapping[str, Identity],
        groups: Mapping[str, str],
        error_limit: float,
    ):
        self._frames = frames
        self._identities = [identities[pane.label] for pane in frames[0].systems]
        self._groups = [one_line(groups.get(pane.label, "")) for pane in frames[0].systems]
        self._limit = error_limit
        self._figure = Figure(figsize=(1, 1))
        # Joined images would be stored once more, with the white between them.
        self._figure.suppressComposite = True
        FigureCanvasAgg(self._figure)
        columns = len(self._identities) + 1
        # As wide as a page however many columns there are, so that panes and text are as large in every strip.
        self._width = INCHES["page"]
        self._inner = columns * PANE + (columns - 1) * GAP
        self._names = [_name_lines(identity.short, PANE - 0.16) for identity in self._identities]
        self._heights = [_pane_height(frame.reference.frame) for frame in frames]
        self._head = (1 + max(map(len, self._names))) * LINE + 0.05
        blocks = sum(map(_block_height, self._heights))
        self._height = 2 * MARGIN + self._head + blocks + (len(frames) - 1) * BLOCK_GAP

    def draw(self) -> Figure:
        self._figure.set_size_inches(self._width, self._height)
        self._heading()
        top = MARGIN + self._head
        for frame, height in zip(self._frames, self._heights, strict=True):
            self._block(frame, top, height)
            top += _block_height(height) + BLOCK_GAP
        return self._figure

    def _heading(self) -> None:
        below = MARGIN + self._head - 0.03
        start = 0
        for index in range(1, len(self._groups) + 1):
            if index < len(self._groups) and self._groups[index] == self._groups[start]:
                continue
            left, right = self._left(start + 1), self._left(index) + PANE
            title = fit_text(self._groups[start], right - left, SMALL_SIZE)
            self._text((left + right) / 2, MARGIN + LINE / 2, title, SMALL_SIZE, GREY, "center")
            if title:
                self._line(left, right, MARGIN + LINE)
            start = index
        self._text(self._left(0) + PANE / 2, below - LINE / 2, "Reference", TEXT_SIZE, "black", "center")
        for column, (identity, lines) in enumerate(zip(self._identities, self._names, strict=True), 1):
            widest = max(text_width(line, TEXT_SIZE) for line in lines)
            centre = self._left(column) + PANE / 2 + 0.06
            for number, line in enumerate(reversed(lines)):
                self._text(centre, below - LINE * (number + 0.5), line, TEXT_SIZE, "black", "center")
            self._marker(identity, centre - widest / 2 - 0.08, below - LINE * (len(lines) - 0.5))

    def _block(self, frame: StripFrame, top: float, height: float) -> None:
        title = fit_text(frame.title, self._inner, TEXT_SIZE)
        self._text(self._left(0), top + LINE / 2, title, TEXT_SIZE, "black", "left")
        top += LINE
        below = top + height + 0.02
        numbers = below + _row_height(height) + LINE / 2
        half = PANE / 2 - 0.01
        for column, pane in enumerate((frame.reference, *frame.systems)):
            left = self._left(column)
            self._image(pane.frame, left, top, PANE, height)
            self._mark_crop(frame.crop, left, top, height)
            self._image(pane.crop, left, below, half, height / 2, "nearest")
            if pane.error is None:
                self._scale(left + PANE / 2 + 0.05, below, _row_height(height))
                words = "PSNR dB, SSIM"
            else:
                self._errors(pane.error, left + PANE / 2 + 0.01, below, half, height / 2)
                words = f"{pane.psnr:.2f} dB" + ("" if math.isnan(pane.ssim) else f", {pane.ssim:.3f}")
            self._text(left + PANE / 2, numbers, words, TEXT_SIZE, GREY if pane.error is None else "black", "center")

    def _mark_crop(self, crop: tuple[float, float, float, float], left: float, top: float, height: float) -> None:
        first, begin, high, wide = crop
        for colour, thickness in (("black", 1.6), (CROP_COLOUR, 0.8)):
            box = self._box(left + begin * PANE, top + first * height, wide * PANE, high * height)
            self._figure.add_artist(
                Rectangle((box.x0, box.y0), box.width, box.height, fill=False, edgecolor=colour, linewidth=thickness)
            )

    def _errors(self, errors: np.ndarray, left: float, top: float, width: float, height: float) -> None:
        image = self._image(errors, left, top, width, height)
        image.set_cmap(ERROR_COLOURS)
        image.set_clim(0, self._limit)

    def _scale(self, left: float, top: float, height: float) -> None:
        """The colour bar of the error maps, beside the reference's crop."""
        self._text(left, top + 0.06, "|error|", SMALL_SIZE, GREY, "left")
        first, last = top + 0.17, top + height - 0.05
        self._errors(np.linspace(self._limit, 0, 64)[:, None], left, first, 0.09, last - first)
        ticks = {self._limit: first, 0.0: last}
        if height >= THREE_TICKS:
            ticks[self._limit / 2] = (first + last) / 2
        for value, at in ticks.items():
            words = f"≥ {value:g}" if value == self._limit else f"{value:g}"
            self._text(left + 0.13, at, words, SMALL_SIZE, "black", "left")

    def _left(self, column: int) -> float:
        return (self._width - self._inner) / 2 + column * (PANE + GAP)

    def _box(self, left: float, top: float, width: float, height: float) -> Bbox:
        """In shares of the figure, from the bottom left corner."""
        return Bbox.from_bounds(
            left / self._width, 1 - (top + height) / self._height, width / self._width, height / self._height
        )

    def _image(
        self, picture: np.ndarray, left: float, top: float, width: float, height: float, interpolation: str = "none"
    ) -> BboxImage:
        box = TransformedBbox(self._box(left, top, width, height), self._figure.transFigure)
        image = BboxImage(box, origin="upper", interpolation=interpolation, data=picture)
        self._figure.add_artist(image)
        return image

    def _text(self, left: float, middle: float, words: str, size: float, colour: str, alignment: str) -> None:
        # Names come from other people's files: a dollar sign in one is no mathematics.
        self._figure.text(
            left / self._width,
            1 - middle / self._height,
            words,
            fontsize=size,
            color=colour,
            ha=alignment,
            va="center_baseline",
            parse_math=False,
        )

    def _line(self, left: float, right: float, at: float) -> None:
        ends = [left / self._width, right / self._width]
        self._figure.add_artist(Line2D(ends, [1 - at / self._height] * 2, color=GREY, linewidth=0.6))

    def _marker(self, identity: Identity, left: float, middle: float) -> None:
        self._figure.add_artist(
            Line2D(
                [left / self._width],
                [1 - middle / self._height],
                marker=identity.marker,
                markersize=4,
                color=identity.colour,
                markerfacecolor="white" if identity.is_published else identity.colour,
                linestyle="",
            )
        )


def _name_lines(name: str, width: float) -> list[str]:
    """A name in as few lines as it takes, at most :data:`MOST_NAME_LINES`; what has no place is cut out."""
    lines = wrap_text(name, width, TEXT_SIZE)
    last = fit_text(" ".join(lines[MOST_NAME_LINES - 1 :]), width, TEXT_SIZE)
    return [*lines[: MOST_NAME_LINES - 1], *([last] if last else [])]


def _pane_height(frame: np.ndarray) -> float:
    """Of a frame as wide as a pane, inches; at most twice that."""
    return PANE * min(2.0, frame.shape[0] / frame.shape[1])


def _row_height(height: float) -> float:
    """Of the row with crops, error maps and their scale, below panes of a height, inches."""
    return max(height / 2, LEAST_ROW)


def _block_height(height: float) -> float:
    """Of a frame with its title, panes and numbers, inches."""
    return LINE + height + 0.02 + _row_height(height) + LINE
