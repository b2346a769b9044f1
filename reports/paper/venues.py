"""The measures of venues' pages.

They are those that the instructions to authors or the style file state. No style file is shipped or needed: a
document of these measures shows whether tables and figures fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INCH = 72.27
"""TeX's points in an inch."""
CENTIMETRE = INCH / 2.54


@dataclass(frozen=True)
class Venue:
    """The measures of a venue's pages; lengths in TeX's points."""

    name: str
    paper: str
    """Of LaTeX's class ``article``: ``letterpaper`` or ``a4paper``."""
    text_width: float
    text_height: float
    num_columns: int
    column_gap: float
    """Between two columns; 0 where there is one."""
    font_size: int
    """Of the text: 10 or 11 points."""
    leading: float
    """From one line of text to the next."""
    source: str
    """Where the measures are from."""

    @property
    def column_width(self) -> float:
        """Width of one column."""
        return (self.text_width - (self.num_columns - 1) * self.column_gap) / self.num_columns


_VENUES = (
    Venue(
        "cvpr", "letterpaper", 6.875 * INCH, 8.875 * INCH, 2, 0.3125 * INCH, 10, 12,
        "cvpr.sty: textwidth 6.875in, textheight 8.875in, columnsep 0.3125in, Times 10 pt",
    ),
    Venue(
        "neurips", "letterpaper", 5.5 * INCH, 9 * INCH, 1, 0, 10, 11,
        "neurips_2025.sty: textwidth 5.5in, textheight 9in, Times 10 on 11 pt",
    ),
    Venue(
        "iclr", "letterpaper", 5.5 * INCH, 9 * INCH, 1, 0, 10, 11,
        "ICLR formatting instructions: text 5.5 by 9 inches, Times 10 on 11 pt",
    ),
    Venue(
        "icml", "letterpaper", 6.75 * INCH, 9 * INCH, 2, 0.25 * INCH, 10, 11,
        "icml2025.sty: textwidth 6.75in, textheight 9.0in, columnsep 0.25in, 10 on 11 pt",
    ),
    Venue(
        "acl", "a4paper", 16 * CENTIMETRE, 24.7 * CENTIMETRE, 2, 0.6 * CENTIMETRE, 11, 13.6,
        "ACL formatting guidelines: A4, margins 2.5 cm, columns 7.7 by 24.7 cm, 0.6 cm apart, Times 11 pt",
    ),
    Venue(
        "arxiv", "letterpaper", 6.5 * INCH, 9 * INCH, 1, 0, 10, 11,
        "arxiv.sty (arxiv-style): textwidth 6.5in, textheight 9in, Times 10 on 11 pt",
    ),
)  # fmt: skip

VENUES: Mapping[str, Venue] = {venue.name: venue for venue in _VENUES}
"""Venue by its name on the command line."""

DEFAULT_VENUE = "arxiv"
