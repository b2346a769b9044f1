"""Figures, what every report is made from, and the one table that they travel in outside of the reports.

:class:`Figure` is one figure, for one (row label, dataset, protocol, metric). In the table it is a row and its fields
are the columns; :func:`results_frame` makes the table from figures, :func:`read_figures` checks a table and gives them
back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, cast, get_args

import pandas as pd

from .text import one_line

Direction = Literal["higher", "lower", "none"]
Origin = Literal["measured", "published"]
Rank = Literal["best", "second", ""]

MIN_VIDEOS = 5
"""Videos below which nothing has an interval."""

MIN_BOOTSTRAP_VIDEOS = 8
"""Videos from which on intervals are by the bootstrap, not by Student's t."""


class TableError(ValueError):
    """A table that can't be reported: a missing column, a wrong value, or figures that don't belong together."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure with everything a report says about it; raises :class:`TableError` if a field can't be right.

    Its text is in one line and printable, whatever it was made of.
    """

    system: str
    """The system's name as a paper prints it: ``VidTok``."""
    tokenizer: str
    """The tokenizer's unique name."""
    label: str
    """The tokenizer's name and the settings that differ from the default: ``vidtok-tiny (posterior=sample)``."""
    regularizer: str
    """As in Table 1 of the VidTok paper: ``KL - 4chn``; may be empty."""
    group: str
    """What it is ranked within: ``discrete``, ``continuous-4``, ``continuous-16``, …"""
    weights: str
    """``official …``, ``trained …``, ``random (seed 0)``, ``none``."""
    dataset: str
    """Empty for figures of the tokenizer itself (parameters, MACs), which stand in front of all datasets."""
    protocol: str
    """The protocol's name; empty where no protocol matters (parameters)."""
    protocol_hash: str
    """The protocol's canonical hash; empty where it is unknown or no protocol matters."""
    metric: str
    """The metric's name, with its convention: ``lpips-vgg``."""
    title: str
    """The metric's column heading: ``LPIPS``. Like direction and unit it is the same wherever the metric occurs."""
    direction: Direction
    """Which values are better."""
    unit: str = ""
    """``dB``, ``M``, ``frames/s``, …"""
    decimals: int = 3
    """Digits printed after the point."""
    display_low: float = math.nan
    """The worst end of the fixed radar scale where nothing is published for the dataset; NaN if there is none."""
    display_high: float = math.nan
    """The best end of that scale."""
    value: float = math.nan
    """The figure; NaN if it is unavailable."""
    low: float = math.nan
    """Lower end of the 95 % interval; NaN if there is none."""
    high: float = math.nan
    """Upper end of the 95 % interval; NaN if there is none."""
    num_sources: int = 0
    """Source videos behind the interval; 0 where videos play no part or their number is unknown."""
    interval_note: str = ""
    """What the reader of the interval must know."""
    rank: Rank = ""
    """``best`` for the best figure of its group and all that can't be told from it."""
    rank_low: int = 0
    """The best rank in its group that it may have, from 1; 0 where it isn't ranked."""
    rank_high: int = 0
    """The worst rank that it may have."""
    family: str = ""
    """What it was ranked among, or why it wasn't: ``8 systems, 28 pairs, 12 videos, 240 windows, c 3.41``."""
    count: int = 0
    """How many of ``counted`` the figure rests on; 0 where unknown."""
    counted: str = ""
    """What is counted: ``frames``, ``windows``, …"""
    note: str = ""
    """A warning the reader needs, or why the figure is unavailable."""
    hint: str = ""
    """The command that makes an unavailable figure available."""
    origin: Origin = "measured"
    """Where the figure is from."""
    citation: str = ""
    """The source of a published figure, or the paper of a measured tokenizer."""
    lowest: float = math.nan
    """The smallest of the repetitions of a timing; NaN of other figures."""
    highest: float = math.nan
    """The largest of the repetitions."""
    correlation: float = math.nan
    """Of each repetition with the next one; NaN with fewer than ten."""

    def __post_init__(self) -> None:
        where = f"results table, {self.label!r}, {self.dataset or 'no dataset'}, {self.metric!r}"
        for name in _TEXT:
            if not isinstance(getattr(self, name), str):
                raise TableError(f"{where}: {name} must be text, not {getattr(self, name)!r}")
            object.__setattr__(self, name, one_line(getattr(self, name)))
        for name in ("system", "tokenizer", "label", "group", "weights", "metric", "title"):
            if not getattr(self, name).strip():
                raise TableError(f"{where}: {name} must not be empty")
        kinds = (("direction", Direction), ("origin", Origin), ("rank", Rank))
        for name, choices in ((name, get_args(kind)) for name, kind in kinds):
            if getattr(self, name) not in choices:
                named = ", ".join(choice or "empty" for choice in choices)
                raise TableError(f"{where}: {name} must be one of {named}, not {getattr(self, name)!r}")
        for name in _WHOLE:
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 0:
                raise TableError(f"{where}: {name} must be a whole number, not {getattr(self, name)!r}")
        for name in _NUMBERS:
            if not isinstance(getattr(self, name), int | float):
                raise TableError(f"{where}: {name} must be a number or NaN, not {getattr(self, name)!r}")
        if math.isnan(self.low) != math.isnan(self.high) or self.low > self.high:
            raise TableError(f"{where}: the interval is {self.low} … {self.high}; give both ends in order, or neither")
        if not 0 <= self.rank_low <= self.rank_high or (self.rank and not self.rank_low):
            raise TableError(f"{where}: rank {self.rank!r} from {self.rank_low} to {self.rank_high} can't be")

    @property
    def is_available(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    @property
    def row_key(self) -> tuple[str, ...]:
        """What figures in one row of a printed table share."""
        return (self.origin, self.group, self.system, self.tokenizer, self.label, self.regularizer, self.weights)

    @property
    def protocol_key(self) -> tuple[str, str]:
        """Name and hash of the protocol: only figures that share both may share a column unmarked."""
        return (self.protocol, self.protocol_hash)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Figure))
"""Column names in canonical order."""

_WHOLE = ("decimals", "num_sources", "rank_low", "rank_high", "count")
_NUMBERS = ("display_low", "display_high", "value", "low", "high", "lowest", "highest", "correlation")
_TEXT = tuple(name for name in COLUMNS if name not in _WHOLE + _NUMBERS)
_DTYPES = dict.fromkeys(_WHOLE, "int64") | dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_TEXT, "str")


def results_frame(rows: Iterable[Figure | Mapping[str, Any]]) -> pd.DataFrame:
    """The table of figures, given as such or as mappings of their fields; columns in canonical order and type.

    Raises :class:`TableError` on an unknown or missing field, and on what :class:`Figure` and :func:`check_figures`
    refuse.
    """
    figures = [row if isinstance(row, Figure) else _figure(row) for row in rows]
    check_figures(figures)
    records = [asdict(figure) for figure in figures]
    return pd.DataFrame({name: pd.Series([r[name] for r in records], dtype=_DTYPES[name]) for name in COLUMNS})


def read_figures(frame: pd.DataFrame) -> list[Figure]:
    """Check a table and give its rows.

    Raises :class:`TableError` on missing or unknown columns and on what :class:`Figure` and :func:`check_figures`
    refuse.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in COLUMNS]
    if missing or unknown:
        problems = [f"lacks the columns {', '.join(missing)}"] if missing else []
        problems += [f"has unknown columns {', '.join(unknown)}"] if unknown else []
        raise TableError(f"results table {' and '.join(problems)}; it must have: {', '.join(COLUMNS)}")
    records = cast(list[dict[str, Any]], frame.to_dict("records"))
    figures = [_figure({name: row[name] for name in COLUMNS}) for row in records]
    check_figures(figures)
    return figures


def check_figures(figures: Iterable[Figure]) -> None:
    """Raise :class:`TableError` on a repeated figure, and on a metric whose title, direction or unit changes."""
    seen = set()
    facts: dict[str, tuple[str, str, str]] = {}
    for figure in figures:
        identity = (*figure.row_key, figure.dataset, *figure.protocol_key, figure.metric)
        if identity in seen:
            raise TableError(
                f"results table: {figure.label} ({figure.origin}) has {figure.metric} on "
                f"{figure.dataset or 'no dataset'} under {figure.protocol or 'no protocol'} twice"
            )
        seen.add(identity)
        facts_given = (figure.title, figure.direction, figure.unit)
        if facts.setdefault(figure.metric, facts_given) != facts_given:
            raise TableError(
                f"results table: metric {figure.metric} is described as {facts[figure.metric]} and as {facts_given} "
                "(title, direction, unit)"
            )


def round_outwards(end: float, decimals: int, *, up: bool = False) -> float:
    """An end of an interval at so many digits, never inside of it; NaN and infinity as they are."""
    if not math.isfinite(end):
        return end
    # What floating point alone put beyond a digit isn't rounded up to the next one.
    scaled = round(end * 10**decimals, 6)
    return (math.ceil(scaled) if up else math.floor(scaled)) / 10**decimals


def group_order(group: str) -> tuple[int, int, int, tuple[int, ...], str]:
    """Sort key of a comparison group: discrete, then continuous by channels, then the others by name.

    Of one kind, those that name no compression come first.
    """
    kind = _kind(group)
    if kind is None:
        return (2, 0, 0, (), group)
    return (0 if kind.channels is None else 1, kind.channels or 0, kind.ratio, kind.compression, "")


def group_title(group: str) -> str:
    """A comparison group in words.

    ``Continuous, 4 channels``, or with what it names of the compression: ``Continuous, 8 channels at 16×`` (in time),
    ``Discrete at 4×16×16`` (time, height, width).
    """
    kind = _kind(group)
    if kind is None:
        return group[:1].upper() + group[1:]
    name = "Discrete" if kind.channels is None else f"Continuous, {kind.channels} channels"
    at = f"{kind.ratio}×" if kind.ratio else "×".join(map(str, kind.compression))
    return f"{name} at {at}" if at else name


class _Kind(NamedTuple):
    """What the name of a comparison group says."""

    channels: int | None
    """``None`` where it is discrete."""
    ratio: int
    """Temporal compression, where the name has that alone; else 0."""
    compression: tuple[int, ...]
    """Time, height and width, where the name has them; else empty."""


def _kind(group: str) -> _Kind | None:
    match = re.fullmatch(r"(?:discrete|continuous-(\d+))(?:-(\d+)x)?(?:-(\d+)x(\d+)x(\d+))?", group)
    if match is None:
        return None
    channels, ratio, *compression = match.groups()
    size = None if channels is None else int(channels)
    return _Kind(size, int(ratio or 0), tuple(int(each) for each in compression if each))


def _figure(row: Mapping[str, Any]) -> Figure:
    try:
        return Figure(**{name: _whole(value) if name in _WHOLE else value for name, value in row.items()})
    except TypeError as error:
        raise TableError(f"a row of the results table has other fields than {', '.join(COLUMNS)}: {error}") from error


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
