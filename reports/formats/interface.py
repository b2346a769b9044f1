"""What a format gets, a :class:`Report`, and what it gives, files by name: all that a new one has to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..charts.pictures import Chart
from ..charts.radar import RadarChart
from ..identity import Identities
from ..paper.facts import RunFacts
from ..paper.layout import PaperLayout
from ..record.model import MeasuredPart
from ..schema import Figure
from ..tables.named import NamedTable
from ..tables.plain import PlainTable
from ..tables.table import ResultsTable


@dataclass(frozen=True)
class KeptClip:
    """A clip whose reconstructions were kept, for a reader to see."""

    dataset: str
    protocol: str
    protocol_hash: str
    source: str
    """The source video."""
    window: int
    """Which of its windows, from 0."""
    reference: Path
    """What the tokenizers got, as lossless video."""
    reconstructions: Mapping[str, Path]
    """Label of a tokenizer → what it made of that: as many frames of the same size."""
    frame_values: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    """Label → name of a metric → its value on each frame, measured before anything was rounded or compressed."""


VIDEO_COLUMNS = ("label", "dataset", "protocol_hash", "metric", "files", "value")
"""Columns of figures of single videos; ``files`` are the names of a video and its copies, a tuple of text."""


def no_videos() -> pd.DataFrame:
    """A table of figures of single videos without any."""
    return pd.DataFrame(columns=pd.Index(VIDEO_COLUMNS))


@dataclass(frozen=True)
class Report:
    """A report before any format prints it; pure data, so that a format measures and draws nothing."""

    title: str
    figures: tuple[Figure, ...]
    """Every figure in full precision, measured ones first."""
    identities: Identities
    """Name, colour, marker and dash of each system."""
    table: ResultsTable
    """The figures arranged for print: sections, ranks, caption and footnotes."""
    radar: RadarChart | None
    radar_missing: str
    """Why there are no radar charts; empty where there are."""
    charts: tuple[Chart, ...]
    """Further charts with their points."""
    tables: tuple[NamedTable, ...]
    """Further tables with their values."""
    attachments: Mapping[str, bytes]
    """Files written beside any format's, by name: ``radar.png``, ``radar.pdf``, ``radar.svg`` and ``radar.json`` where
    there are radar charts, ``NAME.png``, ``NAME.pdf``, ``NAME.svg`` and ``NAME.csv`` of every chart, ``NAME.csv`` of
    every further table. Formats name or embed them."""
    methods: tuple[str, ...]
    """Sentences."""
    provenance: tuple[tuple[str, str], ...]
    """Names and values: machine, versions, settings, …"""
    accounting: PlainTable
    """Windows requested, scored and failed, one row a tokenizer and dataset."""
    failures: PlainTable
    """Failed windows with their reasons."""
    clips: tuple[KeptClip, ...]
    measured: MeasuredPart | None = None
    """What the figures rest on, for a record of them; ``None`` where nobody asked for it."""
    videos: pd.DataFrame = field(default_factory=no_videos, compare=False)
    """Figures of single videos, in :data:`VIDEO_COLUMNS`: of metrics that mean something there."""
    keep_command: str = ""
    """The command that keeps the reconstructions of all windows; empty where none is known."""
    is_bundle: bool = False
    """Whether the page is a folder, for hosting, with its media in files of their own."""
    facts: RunFacts = field(default_factory=RunFacts)
    """What the run knows of its systems and metrics beyond the figures."""
    layout: PaperLayout = field(default_factory=PaperLayout)
    """What the reader chose for formats that set pages; :func:`~..paper.compose.paper_content` gives what they print.
    """


ReportFormat = Callable[[Report], Mapping[str, str | bytes]]
"""A format: from a report to the contents of its files, by their paths in the report's folder (``paper/main.tex``).

Text is written as UTF-8. Whatever is raised, nothing was written yet.
"""
