"""A dataset opened by its name, and surveyed: what is there, what is missing, what is unreadable."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from ...datasets.catalog import parse_dataset
from ...datasets.check import check_dataset
from ...datasets.interface import Dataset
from ...datasets.protocol import load_protocol
from ..catalog.catalog import datasets
from .listing import new_table, render

Reader = Literal["auto", "decord", "pyav"]


def open_dataset(text: str) -> Dataset:
    """The dataset that ``NAME``, ``NAME:FOLDER`` or the path of a folder stands for."""
    registry = datasets()
    name, root = parse_dataset(text)
    if name not in registry and Path(text).exists():
        name, root = "folder", Path(text)
    return registry.get(name)(root)


def check_table(text: str, reader: str, protocol: str | None) -> tuple[str, int]:
    """Every video of a dataset, opened: a table, and how many are missing or unreadable."""
    if reader not in ("auto", "decord", "pyav"):
        raise ValueError(f"--reader is auto, decord or pyav, not {reader!r}")
    rows = check_dataset(
        open_dataset(text),
        reader=cast(Reader, reader),
        protocol=load_protocol(protocol) if protocol else None,
    )
    table = new_table("video", "state", "frames", "frames/s", "size", "reader", "windows", "reason")
    for row in rows:
        table.add_row(
            row.key,
            row.state,
            "" if row.num_frames is None else str(row.num_frames),
            "" if row.fps is None else f"{row.fps:.4g}",
            "" if row.width is None else f"{row.width}×{row.height}",
            row.reader,
            "" if row.num_windows is None else str(row.num_windows),
            row.reason,
        )
    bad = sum(row.state != "ok" for row in rows)
    return f"{render(table)}\n{len(rows)} videos, {bad} missing or unreadable", bad
