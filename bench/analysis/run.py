"""A run as a value: what was measured, as tables, comparisons and reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...reports.paper.layout import PaperLayout
from ...reports.paper.venues import DEFAULT_VENUE
from .accounting import accounting_frame, failures_frame
from .comparison import compare_labels
from .results import RunResults
from .results_table import results_table
from .run_report import terminal_text, write_run_report
from .window_table import window_table

TABLE_COLUMNS = (
    "label",
    "tokenizer",
    "system",
    "regularizer",
    "group",
    "dataset",
    "protocol",
    "protocol_hash",
    "metric",
    "unit",
    "direction",
    "value",
    "low",
    "high",
    "videos",
    "rank",
    "rank_low",
    "rank_high",
    "family",
    "n",
    "counted",
    "note",
    "hint",
)


class Run(RunResults):
    """What a run measured. The figures are aggregated anew from the windows whenever they are asked for."""

    def table(self) -> pd.DataFrame:
        """One line a figure: a tokenizer's figure on a dataset under a protocol.

        Columns: ``label`` (tokenizer and changed settings), ``tokenizer``, ``system`` (name in papers),
        ``regularizer``, ``group`` (what it is ranked with), ``dataset`` (empty for figures of the tokenizer alone),
        ``protocol``, ``protocol_hash``, ``metric``, ``unit``, ``direction`` (``higher``, ``lower`` or ``none`` is
        better), ``value`` (NaN where unavailable), ``low`` and ``high`` (ends of the 95 % interval, NaN where there
        is none) and ``videos`` behind it, ``rank`` (``best`` for the best and what can't be told from it, ``second``),
        ``rank_low`` and ``rank_high`` (ranks that it may have, 0 where it isn't ranked), ``family`` (what it was ranked
        among), ``n`` of ``counted`` (what the figure rests on), ``note`` (warnings, or why it is unavailable),
        ``hint`` (the command that makes it available).
        """
        return (
            results_table(self.results)
            .rename(columns={"count": "n", "num_sources": "videos"})
            .loc[:, list(TABLE_COLUMNS)]
        )

    def windows(self) -> pd.DataFrame:
        """One line a window and metric.

        Columns: ``label``, ``tokenizer``, ``dataset``, ``protocol``, ``protocol_hash``, ``source`` (the video),
        ``window`` (its index in the video), ``num_frames``, ``metric``, ``unit``, ``value`` (the metric over this
        window alone: of PSNR, SSIM and LPIPS the mean over its frames; NaN where there is none), ``status``
        (``scored`` or ``failed``), ``reason`` (why there is no value). Metrics of sets of windows, such as FVD, and
        of the tokenizer alone are left out.
        """
        return window_table(self.results)

    def compare(self, *labels: str, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Compare a tokenizer with others on the windows they share: one line a pair, dataset and metric.

        Without labels all pairs are compared that the table ranks together, on its windows and with its verdicts.

        Columns: ``a``, ``b``, ``dataset``, ``metric``, ``title``, ``unit``, ``direction``, ``decimals``, ``value_a``
        and ``value_b`` on the shared windows, ``difference`` (a − b) with ``low`` and ``high`` (an interval that holds
        for all ``num_pairs`` pairs at once, ``critical_value`` standard errors wide; NaN for a single pair, which has
        an interval of its own), ``windows_shared``, ``count`` (videos), ``verdict`` (``A`` or ``B`` is better, ``not
        separable``, ``no verdict``; of metrics without direction ``differs`` or ``not shown``), ``better`` (that
        label), ``table_verdict`` (what the table says of the pair), ``detectable`` (about the difference that would
        have been found), ``wins``, ``ties`` and ``losses`` (videos by who is better) with ``wins_low`` and
        ``wins_high``, ``furthest`` (the videos that differ most), ``note``. ``attrs["left_out"]`` lists what has no
        counterpart.

        Raises:
            ComparisonError: if a label is unknown, or nothing can be compared.
        """
        return compare_labels(self.results, labels, metrics, self.name)

    def failures(self) -> pd.DataFrame:
        """One line a failed window: ``label``, ``dataset``, ``source``, ``window``, ``reader``, ``reason``."""
        return failures_frame(self.results)

    def accounting(self) -> pd.DataFrame:
        """One line a cell: windows requested, scored, failed, not run, outside the plan; why a cell failed."""
        return accounting_frame(self.results)

    def report(
        self,
        *formats: str,
        out: str | Path | None = None,
        published: bool | None = None,
        across_protocols: bool = False,
        difference_to: str = "",
        extrapolation_intervals: bool = False,
        bundle: bool = False,
        venue: str = DEFAULT_VENUE,
        columns: Sequence[str] = (),
    ) -> list[Path]:
        """Write the report, as ``toklab report`` does, and return its files.

        Args:
            formats: ``"md"``, ``"csv"``, ``"latex"``, ``"html"``, …; all if none is given.
            out: where to; the folder ``report`` inside the run folder if not given.
            published: whether published figures stand beside the measured ones; as the suite says if not given.
            across_protocols: whether figures of several protocols may share a column, marked.
            difference_to: label or name of a tokenizer. Charts of the paired differences to it are added, and its
                curve is the anchor of BD-rates.
            extrapolation_intervals: whether extrapolated figures get their intervals, a minute or more for each.
            bundle: whether the page is a folder, for hosting, with its pictures in files.
            venue: whose measures the paper has: one of :data:`~toklab.reports.paper.venues.VENUES`.
            columns: names of the metrics in the paper's main table and findings; all that have figures if not given.

        Raises:
            ValueError: if a format, venue, column or ``difference_to`` is unknown, or neither ``out`` nor a run folder
                says where to write.
        """
        return write_run_report(
            self,
            None if out is None else Path(out),
            formats,
            published=published,
            across_protocols=across_protocols,
            difference_to=difference_to,
            extrapolation_intervals=extrapolation_intervals,
            bundle=bundle,
            layout=PaperLayout(venue, tuple(columns)),
        )

    def __str__(self) -> str:
        return terminal_text(self)
