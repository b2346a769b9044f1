"""A chart with its points, and drawings as files: equal drawings are equal bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from ..tables.plain import PlainTable, frame_to_csv

PNG_DPI = 300
"""Resolution of pixel images."""

Width = Literal["column", "page"]
"""What a drawing is as wide as: one column of a paper with two, or its page."""

INCHES: dict[Width, float] = {"column": 3.3, "page": 6.9}
"""Of drawings, which are printed at that size: text is as large as it is set."""

# Without dates and random identifiers, equal drawings are equal files.
_UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": None}


@dataclass(frozen=True)
class Chart:
    """A chart beside the table, with the points it shows."""

    name: str
    """Of its files, without suffix."""
    caption: str
    """One sentence."""
    drawing: Figure
    points: pd.DataFrame
    table: PlainTable | None = None
    """Text to print below the chart; ``None``: nothing."""
    title: str = ""
    """A few words, for a heading: ``PSNR by frame position``; empty: none."""
    width: Width = "column"
    """How wide it is meant to be printed."""

    def files(self) -> dict[str, bytes]:
        """``NAME.png``, ``NAME.pdf``, ``NAME.svg``, and ``NAME.csv``, its points."""
        images = {f"{self.name}.{kind}": picture(self.drawing, kind) for kind in ("png", "pdf", "svg")}
        points = frame_to_csv(self.points)
        return images | {f"{self.name}.csv": points.encode()}


def make_chart(
    name: str, title: str, caption: str, drawing: Figure, points: pd.DataFrame, table: PlainTable | None = None
) -> Chart:
    """A chart that is printed as wide as it was drawn."""
    inches = float(drawing.get_size_inches()[0])
    width: Width = "column" if inches <= INCHES["column"] else "page"
    return Chart(name, caption, drawing, points, table, title, width)


def picture(drawing: Figure, kind: str) -> bytes:
    """A drawing as ``png`` (at :data:`PNG_DPI`), ``pdf`` or ``svg``."""
    buffer = io.BytesIO()
    # Publishers refuse Type 3 fonts, matplotlib's default; 42 is TrueType.
    with matplotlib.rc_context({"svg.hashsalt": "toklab", "pdf.fonttype": 42}):
        drawing.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=_UNDATED[kind])
    return buffer.getvalue()
