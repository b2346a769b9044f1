"""Figures of single videos and of single frames: what a page shows behind a figure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...reports.formats.interface import VIDEO_COLUMNS
from ...reports.text import one_line
from ..catalog.broken_metric import find_metric, guarded
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..metrics.sources import source_files
from .cell_results import CellResults, measures_anything_of
from .results import RunResults


def video_table(results: Iterable[CellResults]) -> pd.DataFrame:
    """One line a video and metric, in :data:`~toklab.reports.formats.interface.VIDEO_COLUMNS`.

    The value is the metric's over the usable windows of the video. Metrics that mean nothing there, such as FVD, and
    videos without a value are left out.
    """
    lines = [line for result in results for line in _cell_lines(result)]
    return pd.DataFrame(lines, columns=pd.Index(VIDEO_COLUMNS))


def _cell_lines(result: CellResults) -> Iterator[dict[str, Any]]:
    for name in result.cell.metrics:
        metric = find_metric(name)
        if not measures_anything_of(metric, result.cell):
            continue
        windows = result.windows(metric)
        files = {source: {one_line(file) for file in files} for source, files in source_files(windows).items()}
        for source, value in video_values(metric, windows).items():
            if source in files:
                yield {
                    "label": result.label,
                    "dataset": result.dataset,
                    "protocol_hash": result.cell.protocol_hash,
                    "metric": name,
                    "files": tuple(sorted(files[source])),
                    "value": value,
                }


def video_values(metric: Metric, windows: Sequence[MeasuredWindow]) -> dict[str, float]:
    """The metric's figure of each video over its usable windows, where it is finite.

    Empty where it means nothing of a single video, or the metric's code fails: then its own figure says why.
    """

    def means() -> dict[str, float]:
        usable = metric.usable(windows)
        return metric.source_means(usable) if usable else {}

    found = guarded(metric, "source_means", means)
    if isinstance(found, Unavailable):
        return {}
    return {source: float(value) for source, value in found.items() if math.isfinite(value)}


def keep_command(run: RunResults) -> str:
    """The command that runs the same once more and keeps all reconstructions; empty where it can't be told.

    It takes a new run folder: windows that are in the ledger aren't run again.
    """
    if run.folder is None:
        # Several runs have several commands, and a record has no videos.
        return ""
    words = run.provenance[-1].get("command", []) if run.provenance else []
    if len(words) > 1 and Path(words[0]).name == "toklab" and words[1] == "run":
        given = _without_options(words[2:], ("--keep-recon", "--out", "-o"))
    elif run.suite is not None and run.suite.name != "custom":
        given = [run.suite.name]
    else:
        return ""
    return one_line(
        shlex.join(["toklab", "run", *given, "--keep-recon", "all", "--out", f"runs/{run.folder.name}-kept"])
    )


def _without_options(words: Sequence[str], options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    following = iter(words)
    for word in following:
        if word in options:
            next(following, None)
        elif word.split("=")[0] not in options:
            kept.append(word)
    return kept
