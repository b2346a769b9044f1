"""What a result record holds, each field described once; its JSON Schema follows from this.

A record is read without the videos and without the run folder. From the windows' arrays toklab computes every figure
again, to the last digit; numerators and weights are for whoever reads a record without toklab. Features of networks
are left out, as they are large: distances between sets of them, such as FVD, are stated and can't be computed again.
Counts of codes are added up over the windows.

Names are checked where they enter: some of them become names of files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, create_model

from ..schema import Figure

FORMAT = "toklab-record"
VERSION = 1
"""Raised whenever a reader of the version before would misread a record."""

MAX_BYTES = 64 * 2**20
"""Of ``record.json``: what is longer is neither written nor read."""

NonFinite = Literal["NaN", "Infinity", "-Infinity"]
"""Numbers that JSON has no word for."""
Number = Annotated[float, Field(allow_inf_nan=False)] | NonFinite
Count = Annotated[int, Field(ge=0)]
Identifier = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]{0,63}$")]
"""Of cells and protocols: no separators of paths."""
SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
MetricName = Annotated[str, StringConstraints(pattern=r"^\w[\w.@+-]{0,99}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]{0,199}\.parquet$")]
DType = Literal["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class RecordedArray(_Part):
    """Numbers that a metric measured."""

    dtype: DType
    shape: tuple[Count, ...]
    """Lengths of the axes."""
    values: tuple[bool | int | Number, ...]
    """All values, the last axis fastest."""


Arrays = dict[str, RecordedArray]


class RecordedMeasurement(_Part):
    """What one measurement of a window gave."""

    arrays: Arrays = {}
    """By name; empty where they are left out, see ``totals`` of the cell, or where the window couldn't be measured."""
    reference: Arrays = {}
    """What was measured on the original alone."""
    reason: str = ""
    """Why the window couldn't be measured."""


class RecordedWindow(_Part):
    """One window through one tokenizer: scored, or failed with a reason."""

    source: str
    """The video's key in its dataset."""
    window: Annotated[int, Field(ge=-1)]
    """Its index in the video; −1 where the whole video couldn't be read."""
    content_id: str
    """SHA-256 of the video's content."""
    frame_ids: tuple[Count, ...]
    """Indices of its frames in the video."""
    fps: Number
    """Frame rate of the video."""
    reader: str
    """What decoded the video."""
    status: Literal["scored", "failed"]
    reason: str = ""
    """Why it failed."""
    note: str = ""
    """What makes a scored window doubtful."""
    timing: dict[str, Number] = {}
    """Seconds, batch size and memory of the forward pass."""
    machine: str = ""
    """What timings are keyed by."""
    numerators: dict[MetricName, Number] = {}
    """By metric: what the window adds to the numerator. A figure is Σ numerators / Σ weights over windows."""
    weights: dict[MetricName, Number] = {}
    """By metric: what the window adds to the denominator, such as its frames."""
    measurements: dict[str, RecordedMeasurement] = {}
    """By name, version and weights of what was measured. Several metrics may read one measurement."""


class RecordedEstimate(_Part):
    """A figure that can't be computed again from a record, or why there is none."""

    value: Number = "NaN"
    low: Number | None = None
    """Ends of the 95 % interval."""
    high: Number | None = None
    count: Count = 0
    """How many of ``counted`` it rests on."""
    counted: str = ""
    num_sources: Count = 0
    """Videos behind the interval."""
    interval_note: str = ""
    note: str = ""
    reason: str = ""
    """Why there is no value; empty where there is one."""
    hint: str = ""
    """The command that makes it available."""


class RecordedCell(_Part):
    """One tokenizer on one dataset, under one protocol, with one set of inference settings."""

    cell_id: Identifier
    """Hash of card, weights, dataset, protocol and settings."""
    tokenizer: str
    label: str
    """The tokenizer's name and the settings that differ from the default."""
    spec: dict[str, JsonValue]
    """The tokenizer's spec."""
    weights: str
    """Identity of the weights: ``sha256:…``, ``random:SEED`` or ``none``."""
    dataset: str
    """Its name; of a folder without one, the folder's own name behind a hash of where it lies."""
    protocol_hash: Identifier
    settings: dict[SettingName, str | bool | int | Number | None]
    metrics: tuple[MetricName, ...]
    """Those asked for, in order."""
    status: Literal["open", "finished", "failed"]
    reason: str = ""
    """Why the cell failed."""
    hint: str = ""
    """What to do about it."""
    facts: dict[str, Number] = {}
    """Parameters, multiply-adds, codebook size."""
    missing: tuple[str, ...] = ()
    """Videos that the dataset should have and hadn't."""
    unavailable: dict[MetricName, tuple[str, str]] = {}
    """Metrics that couldn't be computed: reason and hint."""
    planned: Count = 0
    """Windows that the dataset gives under the protocol."""
    dataset_notes: tuple[str, ...] = ()
    num_outside: Count = 0
    """Windows that were measured and that no figure counts, as the last run didn't plan them."""
    missing_shards: tuple[str, ...] = ()
    totals: dict[str, Arrays] = {}
    """Counts of codes over all windows, by measurement: those of each window are left out."""
    stated: dict[MetricName, RecordedEstimate] = {}
    """Figures that can't be computed again from a record, such as FVD."""
    windows: tuple[RecordedWindow, ...] = ()
    """Empty where they are in a file of their own, see ``window_file``."""
    digest: str = ""
    """SHA-256 of the rest."""


class RecordedRun(_Part):
    """What an invocation ran with."""

    versions: dict[str, str] = {}
    """Of packages that can change a figure."""
    python: str = ""
    platform: str = ""
    device: str = ""
    device_type: str = ""
    machine: str = ""
    processor: str = ""
    threads: Count = 0
    tf32: bool = False
    ffmpeg: str = ""
    commit: str = ""
    dirty: bool = False


class RecordedMetric(_Part):
    """What a metric is."""

    title: str
    unit: str
    direction: Literal["higher", "lower", "none"]
    convention: str
    """How exactly it is computed."""
    measurement: str
    """The measurement of a window that it reads."""


class WindowFile(_Part):
    """The Parquet file beside the record, where its windows are many."""

    name: FileName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    num_windows: Count


def _field_of_figures(kind: Any, default: Any) -> tuple[Any, Any]:
    # JSON says null where there is no number.
    kind = Number | None if kind is float else kind
    return (kind, ...) if default is MISSING else (kind, None if isinstance(default, float) else default)


if TYPE_CHECKING:
    RecordedFigure = _Part
else:
    RecordedFigure = create_model(
        "RecordedFigure",
        __base__=_Part,
        __doc__="A figure as the run's own report has it, with interval and rank; see `table.csv` of a report.",
        digest=(str, ""),
        **{f.name: _field_of_figures(get_type_hints(Figure)[f.name], f.default) for f in fields(Figure)},
    )


class MeasuredPart(_Part):
    """What a record says of a run."""

    figures: tuple[RecordedFigure, ...] = ()
    """For readers without toklab, which computes them again from the windows."""
    protocols: dict[Identifier, dict[str, JsonValue]] = {}
    """By hash."""
    metrics: dict[MetricName, RecordedMetric] = {}
    runs: tuple[RecordedRun, ...] = ()
    """Every invocation, in order of time."""
    cells: tuple[RecordedCell, ...] = ()


class ResultRecord(MeasuredPart):
    """A result record."""

    format: Literal["toklab-record"]
    version: Literal[1]
    """Of the format."""
    title: str
    made_with: str
    """``toklab`` and its version."""
    window_file: WindowFile | None = None
    digest: str = ""
    """SHA-256 of the rest."""


def recorded_figures(figures: Iterable[Figure]) -> tuple[RecordedFigure, ...]:
    """The measured ones among some figures."""
    return tuple(
        RecordedFigure(
            **{
                name: json_number(value) if isinstance(value, float) else value
                for name, value in asdict(figure).items()
            }
        )
        for figure in figures
        if figure.origin == "measured"
    )


def json_number(value: float) -> float | str | None:
    """A number of a figure as JSON has it: none at all for NaN."""
    return None if math.isnan(value) else recorded_number(value)


def recorded_number(value: float) -> float | NonFinite:
    """A number as JSON can have it."""
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def numbers(recorded: Mapping[str, float | NonFinite]) -> dict[str, float]:
    """Numbers by name, as they were before :func:`recorded_number`."""
    return {name: float(value) for name, value in recorded.items()}
