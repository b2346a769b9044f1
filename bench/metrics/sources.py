"""Measured windows by the source video they come from: the units that intervals rest on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .interface import MeasuredWindow
from .window_columns import WindowColumns


def sorted_windows(windows: Iterable[MeasuredWindow]) -> list[MeasuredWindow]:
    """Windows by source, file and index: the order every sum and every draw goes by."""
    return sorted(windows, key=lambda window: (window.source, *window.key))


def windows_by_source(windows: Iterable[MeasuredWindow]) -> list[list[MeasuredWindow]]:
    """The windows of each source video, sources and windows sorted."""
    grouped = itertools.groupby(sorted_windows(windows), key=lambda window: window.source)
    return [list(group) for _, group in grouped]


def source_files(windows: Sequence[MeasuredWindow]) -> dict[str, list[str]]:
    """Files of each source video, in the order of the windows: one, and more where there are copies of it."""
    if isinstance(windows, WindowColumns):
        return windows.kept("files", lambda: _grouped(_files_of_columns(windows)))
    return _grouped(dict.fromkeys((window.source, window.key[0]) for window in windows))


def _files_of_columns(windows: WindowColumns) -> Iterator[tuple[str, str]]:
    files, contents = (windows.rows.texts[name] for name in ("source", "content_id"))
    pairs = (
        contents.codes[windows.row_places].astype(np.int64) * (len(files.values) + 1) + files.codes[windows.row_places]
    )
    _, first = np.unique(pairs, return_index=True)
    for row in windows.row_places[np.sort(first)].tolist():
        yield contents[row], files[row]


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, file in pairs:
        found.setdefault(source, []).append(file)
    return found


def source_names(windows: Sequence[MeasuredWindow]) -> list[str]:
    """Identities of the source videos of windows, sorted."""
    if isinstance(windows, WindowColumns):
        return list(windows.sources[1])
    return sorted({window.source for window in windows})
