"""The parts of a paper, as formats print them: text with references in it, tables, figures, an appendix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..schema import Rank
from ..tables.footnotes import Footnote


@dataclass(frozen=True)
class Cite:
    """A reference to entries of the bibliography, in running text."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Ref:
    """A reference to a table or figure of the same paper, in running text, as ``Table 2``."""

    kind: str
    """``Table`` or ``Figure``."""
    name: str
    """As in :class:`PaperTable` or :class:`PaperFigure`."""


Prose = tuple["str | Cite | Ref", ...]
"""Text that a format escapes, with references between its parts."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with a short heading."""

    title: str
    text: Prose


@dataclass(frozen=True)
class PaperCell:
    """One cell of a table."""

    text: str
    interval: str = ""
    """Printed behind the text, smaller: ``±0.52``."""
    rank: Rank = ""
    """``best`` is printed bold, ``second`` underlined."""
    marks: tuple[str, ...] = ()
    """Marks of its footnotes, raised."""
    cite: Cite | None = None


@dataclass(frozen=True)
class PaperColumn:
    """The head of a column."""

    heading: str
    side: str
    """``l`` or ``r``."""
    group: str = ""
    """A heading above that it shares with its neighbours."""
    is_text: bool = False
    """Whether its cells are prose, which may break into lines."""


@dataclass(frozen=True)
class PaperSection:
    """Rows with a heading; empty where a table has one section alone."""

    title: str
    rows: tuple[tuple[PaperCell, ...], ...]


@dataclass(frozen=True)
class PaperTable:
    """A table with everything printed around it."""

    name: str
    """For references: ``main``."""
    caption: Prose
    columns: tuple[PaperColumn, ...]
    sections: tuple[PaperSection, ...]
    notes: tuple[Footnote, ...] = ()
    """Printed below; a mark may be empty."""
    num_stubs: int = 1
    """Columns at its left that say what a row is; a part of a split table repeats them."""


@dataclass(frozen=True)
class PaperFigure:
    """A figure, by the names of its files among the report's attachments."""

    name: str
    """For references, and of its files without suffix: ``radar`` is ``radar.pdf``."""
    caption: Prose
    is_wide: bool = False
    """Whether it takes both columns of a page that has two."""
    inches: float = 0.0
    """Width that it was drawn at, at which its text is as large as it was set; 0: unknown."""
    data: str = ""
    """Name of the file of its points, ``NAME.csv``; empty if there is none."""
    table: PaperTable | None = None
    """Text to print below it."""


@dataclass(frozen=True)
class Reference:
    """An entry of the bibliography."""

    key: str
    kind: str
    """BibTeX's type of entry: ``article``, ``inproceedings``, ``misc``, …"""
    fields: Mapping[str, str]
    """BibTeX's fields, plain text: ``author``, ``title``, ``year``, …"""

    @property
    def text(self) -> str:
        """The entry as a list of references prints it: authors, title, where, year."""
        authors = self.fields.get("author", "").split(" and ")
        names = [_first_name_first(name) for name in authors if name]
        if len(names) > MOST_AUTHORS:
            names = [*names[:NAMED_AUTHORS], "et al."]
        who = _listed(names) if names else self.fields.get("organization", "")
        where = next((self.fields[name] for name in _PLACES if self.fields.get(name)), "")
        parts = [who.rstrip("."), self.fields.get("title", ""), where, self.fields.get("note", "")]
        year = self.fields.get("year", "")
        text = ". ".join(filter(None, parts))
        return f"{text}, {year}." if year else f"{text.rstrip('.')}."


MOST_AUTHORS = 6
"""A list of more authors is cut."""
NAMED_AUTHORS = 3
"""Authors that a cut list names."""
_PLACES = ("journal", "booktitle", "publisher", "howpublished")


def _first_name_first(name: str) -> str:
    last, comma, first = name.partition(", ")
    return (f"{first} {last}" if comma else last).replace("{", "").replace("}", "").replace("others", "et al.")


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    separator = ", " if len(names) > 2 else " "
    return f"{', '.join(names[:-1])}{separator}{'' if names[-1] == 'et al.' else 'and '}{names[-1]}"


@dataclass(frozen=True)
class Leader:
    """A system that leads its group, with its figure as printed."""

    name: str
    """Its short name."""
    value: str
    """``33.03 dB``."""
    interval: str
    """``[31.20, 34.87]``; empty where there is none."""


@dataclass(frozen=True)
class Unranked:
    """A system that isn't ranked, though others of its group are."""

    name: str
    """Its short name."""
    reason: str
    """Why it isn't ranked; empty where nothing is known of it."""


@dataclass(frozen=True)
class Finding:
    """Who is best in a group of systems by a metric."""

    group: str
    """In words: ``Continuous, 4 channels``."""
    dataset: str
    """With the protocol where the dataset was measured under several."""
    metric: str
    title: str
    """The metric's heading: ``PSNR``."""
    leaders: tuple[Leader, ...]
    """The best and all that can't be told from it; of an unranked group the one with the best value."""
    num_systems: int
    """Systems that the leaders were found among: those that are ranked, or all of an unranked group."""
    num_videos: int
    """Videos that the verdict rests on; 0 where videos play no part."""
    is_ranked: bool
    """Whether systems of the group are ranked."""
    reasons: tuple[str, ...] = ()
    """Why an unranked group isn't ranked, as far as its figures say so."""
    unranked: tuple[Unranked, ...] = ()
    """Systems of a ranked group that have the figure and no rank: a verdict says nothing of them."""

    @property
    def is_decided(self) -> bool:
        """Whether one system is told from all others."""
        return self.is_ranked and len(self.leaders) == 1 and self.num_systems > 1


@dataclass(frozen=True)
class AppendixPart:
    """A section of the appendix: pairs of a name and a value, or a table, or a sentence."""

    title: str
    text: Prose = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values; values may be long and without blanks, such as hashes."""
    table: PaperTable | None = None


@dataclass(frozen=True)
class PaperContent:
    """A paper before any format prints it."""

    title: str
    findings: tuple[Finding, ...]
    summary: tuple[Prose, ...]
    """The findings in sentences, one paragraph a group."""
    methods: tuple[Paragraph, ...]
    main: PaperTable
    tables: tuple[PaperTable, ...]
    figures: tuple[PaperFigure, ...]
    figures_missing: tuple[str, ...]
    """Sentences on figures that there are not."""
    references: tuple[Reference, ...]
    """Every entry that is cited, in the order of the first citation."""
    appendix: tuple[AppendixPart, ...]
