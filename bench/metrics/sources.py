"""Measured windows by the source video they come from: the units that intervals rest on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from .interface import MeasuredWindow


def sorted_windows(windows: Iterable[MeasuredWindow]) -> list[MeasuredWindow]:
    """Windows by source, file and index: the order every sum and every draw goes by."""
    return sorted(windows, key=lambda window: (window.source, *window.key))


def windows_by_source(windows: Iterable[MeasuredWindow]) -> list[list[MeasuredWindow]]:
    """The windows of each source video, sources and windows sorted."""
    grouped = itertools.groupby(sorted_windows(windows), key=lambda window: window.source)
    return [list(group) for _, group in grouped]
