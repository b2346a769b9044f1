"""A cell as the ledger has it: every figure is aggregated anew from the rows that are kept."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..catalog.broken_metric import BrokenMetric, figure, metric_code
from ..ledger.columns import MeasurementColumns
from ..ledger.joining import joined_columns
from ..ledger.ledger import Ledger, unpack_arrays
from ..ledger.plans import read_plan
from ..ledger.records import CellRecord, Measurement, Row
from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable
from ..metrics.repetitions import MEASUREMENT
from ..metrics.window_columns import WindowColumns
from ..planning.cell import reference_identity, versioned_reader

TOGETHER = "all videos"
"""Source of the one window that stands for all of a cell."""


@dataclass(frozen=True)
class CellResults:
    """A cell with everything the ledger has of it, read once."""

    cell: CellRecord
    rows: Sequence[Row]
    """Of the windows that the plan names; of all windows where an older ledger has no plan."""
    measurements: Mapping[tuple[str, int], Mapping[str, Measurement]]
    references: Mapping[tuple[str, str], bytes]
    num_outside: int = 0
    """Windows that the ledger holds beyond the plan, and that no figure counts."""
    missing_shards: tuple[str, ...] = ()
    """Shards of the plan that nobody has run, as ``2/4``."""
    is_complete: bool = False
    """Whether the plan is known to name every window of the dataset: no limit cut it, and every shard was run."""
    has_pass: bool = False
    """Whether its speeds come from a throughput pass, if at all: only earlier versions timed them as they went on."""
    dataset: str = ""
    """What reports call the dataset; unique among the cells that were read together."""
    qualifier: str = ""
    """The weights, or the cell's identity, where only these tell it from another cell that was read with it."""
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Versions of packages, by the identities of the ledger's runs."""
    folder: Path | None = None
    """The run folder that it was read from; ``None`` of a result record."""
    totals: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    """Of a result record: arrays of all windows together, by measurement, in place of those of each."""
    stated: Mapping[str, Estimate | Unavailable] = field(default_factory=dict)
    """Of a result record: figures by metric that it holds no measurements for."""

    @classmethod
    def read(
        cls,
        ledger: Ledger,
        cell: CellRecord,
        references: Mapping[tuple[str, str], bytes],
        versions: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> CellResults:
        """Read a cell's rows and measurements.

        Args:
            ledger: where it is.
            cell: the cell.
            references: from ``ledger.reference_measurements()``.
            versions: of packages, by the identities of the ledger's runs.
        """
        read, plan = ledger.columns(cell.cell_id), read_plan(ledger.folder, cell.cell_id)
        inside = read if plan is None else read.take(np.flatnonzero(plan.names(read.rows)))
        missing = () if plan is None else plan.missing_shards
        return cls(
            *(cell, inside.rows, inside, references, len(read.rows) - len(inside.rows), missing),
            is_complete=plan is not None and not plan.limits and not missing,
            # Versions that wrote no plans had no throughput pass.
            has_pass=plan is not None,
            versions=versions,
            folder=ledger.folder,
        )

    @cached_property
    def contents(self) -> MeasurementColumns:
        """Rows and measurements as columns."""
        if isinstance(self.measurements, MeasurementColumns) and self.measurements.rows is self.rows:
            return self.measurements
        rows = list(self.rows)
        measured = [each for row in rows for each in self.measurements.get(row.key, {}).values()]
        return joined_columns(self.cell.cell_id, None, {}, rows, measured)

    @property
    def label(self) -> str:
        """What reports call the tokenizer; unique among the measured cells of a dataset and protocol."""
        return f"{self.cell.label}, {self.qualifier}" if self.qualifier else self.cell.label

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the figures must know of the windows they rest on."""
        place = f"{self.label} on {self.dataset}"
        found = []
        if self.num_outside:
            counted = f"{self.num_outside:,} windows" if self.num_outside > 1 else "1 window"
            found.append(f"{place}: {counted} outside the plan not counted")
        if self.missing_shards:
            found.append(f"{place}: shards {', '.join(self.missing_shards)} not run; the figures rest on the others")
        rows = self.contents.rows
        doubtful = np.flatnonzero(rows.is_scored & ~rows.texts["note"].are(""))
        if len(doubtful):
            counted = f"{len(doubtful):,} windows rest" if len(doubtful) > 1 else "1 window rests"
            first = rows[int(doubtful[0])]
            found.append(f"{place}: {counted} on damaged frames ({first.source}: {first.note})")
        return (*found, *(f"{self.dataset}: {note}" for note in self.cell.dataset_notes))

    def lacks_windows(self, metric: Metric) -> str:
        """Why a metric can't be compared window by window; empty where it can."""
        if metric.name in self.stated:
            return "a result record holds its value, and no features"
        if metric.measurement_key in self.totals:
            return "a result record holds the counts of all windows together"
        return ""

    @property
    def group(self) -> str:
        """What it is ranked with."""
        return str(self.cell.spec.get("comparison_group", "other"))

    def scored(self) -> list[Row]:
        """Rows of windows that were scored."""
        return [row for row in self.rows if row.status == "scored"]

    @property
    def num_scored(self) -> int:
        """Windows that were scored."""
        return int(np.count_nonzero(self.contents.rows.is_scored))

    def windows(self, metric: Metric) -> Sequence[MeasuredWindow]:
        """Scored windows on which the metric has a measurement, or needs none; speeds need one from a throughput pass.

        All in one where a result record holds their totals alone; none where it states the figure.
        """
        if metric.name in self.stated:
            return []
        if metric.measurement_key in self.totals:
            rows = self.contents.rows
            frames = int(rows.num_frames[rows.is_scored].sum())
            return [MeasuredWindow(TOGETHER, -1, frames, self.totals[metric.measurement_key])]
        key = metric.measurement_key if metric.needs not in ("timing", "model") else ""
        timed = metric.measurement_key if metric.needs == "timing" else ""
        # What is kept holds this object's references, so that no others have their identity.
        kept = ("windows", key, timed, id(self.references), self.cell.protocol_hash)
        is_needed = bool(key) or (self.has_pass and metric.measurement == MEASUREMENT)
        return self.contents.kept(kept, lambda: (self._windows(key or timed, is_needed=is_needed), self.references))[0]

    def _windows(self, key: str, *, is_needed: bool) -> Sequence[MeasuredWindow]:
        """Scored windows by a measurement.

        Args:
            key: of the measurement.
            is_needed: whether windows without it are left out.
        """
        contents = self.contents
        column = contents.columns.get(key)
        wanted = contents.rows.is_scored
        if is_needed:
            if column is None:
                return []
            wanted = wanted & column.is_good
        index = np.flatnonzero(wanted)
        reference = None
        if any(measured == key for _, measured in self.references):
            reference = functools.lru_cache(maxsize=None)(functools.partial(self._reference, key=key))
        return WindowColumns(contents, index, column, reference)

    def _reference(self, index: int, key: str) -> Mapping[str, np.ndarray]:
        """What was measured on the reference of a row.

        It is kept by the reader and its version, which are those of the row's run, or of a later one that measured the
        metric. Earlier ledgers keep it by the reader's name alone, or without it.
        """
        rows = self.contents.rows
        clip = (rows.texts["content_id"][index], rows.frame_ids(index), self.cell.protocol_hash)
        run_id, reader = rows.texts["run"][index], rows.texts["reader"][index]
        of_runs = [self.versions.get(run_id, {}), *reversed([*self.versions.values()])]
        readers = dict.fromkeys([*(versioned_reader(reader, versions) for versions in of_runs), reader, ""])
        kept = (self.references.get((reference_identity(*clip, name), key)) for name in readers)
        return unpack_arrays(next(filter(None, kept), b""))

    def reasons(self, metric: Metric) -> Counter[str]:
        """Why the metric has nothing of windows that were scored otherwise."""
        if metric.name in self.stated:
            return Counter()
        measures = metric.needs not in ("timing", "model")
        absent = self.cell.unavailable[metric.name][0] if measures and metric.name in self.cell.unavailable else ""
        scored = np.flatnonzero(self.contents.rows.is_scored)
        column = self.contents.columns.get(metric.measurement_key)
        if column is None:
            return Counter({absent: len(scored)} if absent and len(scored) else {})
        counted: Counter[str] = Counter()
        for row in scored[~column.is_good[scored]].tolist():
            reason = column.reason(row)
            counted[absent if reason is None else reason] += 1
        del counted[""]
        return counted

    def evaluate(self, metric: Metric, windows: Sequence[MeasuredWindow] | None = None) -> Estimate | Unavailable:
        """The metric's figure over the cell, or why there is none; ``windows`` are its own, where already read."""
        # Metrics of one name are made anew wherever they are asked for.
        key = (type(metric), metric.name, metric.measurement_key)
        if key not in self._outcomes:
            self._outcomes[key] = self._evaluate(metric, windows)
        return self._outcomes[key]

    def evaluate_on(self, metric: Metric, windows: Sequence[MeasuredWindow]) -> Estimate | Unavailable:
        """The metric's figure over some of its windows."""
        return self.evaluate(metric) if windows is self.windows(metric) else figure(metric, windows, self.cell.facts)

    @cached_property
    def _outcomes(self) -> dict[tuple[type[Metric], str, str], Estimate | Unavailable]:
        """Figures that were asked for: those of sets take seconds."""
        return {}

    def _evaluate(self, metric: Metric, windows: Sequence[MeasuredWindow] | None) -> Estimate | Unavailable:
        if isinstance(metric, BrokenMetric):
            return metric.why
        if metric.name in self.stated:
            return self.stated[metric.name]
        if metric.needs == "model" and self.cell.facts:
            return figure(metric, [], self.cell.facts)
        if self.cell.status == "failed":
            return Unavailable(self.cell.reason, "" if self.cell.hint in self.cell.reason else self.cell.hint)
        windows = self.windows(metric) if windows is None else windows
        if not windows:
            if metric.name in self.cell.unavailable:
                return Unavailable(*self.cell.unavailable[metric.name])
            if reasons := self.reasons(metric):
                return Unavailable(reasons.most_common(1)[0][0], "")
            if not self.num_scored:
                return Unavailable("no window could be scored", "toklab report lists the reasons")
            return Unavailable("not measured", "run the suite again: only what is missing is computed")
        # Timings need no measurement of a window, so a throughput pass that failed is known by its reason alone.
        if metric.name in self.cell.unavailable and not _have_arrays(windows):
            return Unavailable(*self.cell.unavailable[metric.name])
        return figure(metric, windows, self.cell.facts)


def _have_arrays(windows: Sequence[MeasuredWindow]) -> bool:
    """Whether anything was measured on any of the windows."""
    if isinstance(windows, WindowColumns):
        return any(stack.arrays for stack in windows.stacks())
    return any(window.arrays for window in windows)


def measures_anything_of(metric: Metric, cell: CellRecord) -> bool:
    """Whether a metric means anything for a cell's tokenizer, as far as the ledger knows what that is."""
    try:
        with metric_code(metric.name, "applies_to"):
            return "regularizer" not in cell.spec or metric.applies_to(_spec_of(cell))
    except Exception:
        # The metric's line says that it is unavailable, and why.
        return True


def _spec_of(cell: CellRecord) -> Any:
    from ...tokenizers.interface import FrameRule, TokenizerSpec

    known = set(TokenizerSpec.__dataclass_fields__)
    values = {name: value for name, value in cell.spec.items() if name in known}
    values["codebook_levels"] = tuple(values.get("codebook_levels", ()))
    values.setdefault("frame_rule", FrameRule())
    return TokenizerSpec(**values)
