"""What stands behind a figure: its videos, the frames of kept windows, and the command that keeps more of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_cells import made_cell, rated_cell
from toklab.bench.analysis.frame_values import FrameValues
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.video_table import keep_command, video_table
from toklab.reports.formats.interface import VIDEO_COLUMNS

ERRORS = {("a.mp4", 0): 0.01, ("a.mp4", 1): 0.001, ("b.mp4", 0): 0.1}


def decibels(error: float) -> float:
    return -10 * np.log10(error + 1e-8)


def test_each_video_has_the_figure_of_its_windows() -> None:
    table = video_table([made_cell("t", ERRORS, metrics=("psnr", "psnr-pooled"))])
    assert list(table.columns) == list(VIDEO_COLUMNS)
    lines = zip(table["metric"], table["files"], table["value"], strict=True)
    values = {(metric, files): value for metric, files, value in lines}
    assert values == pytest.approx(
        {
            ("psnr", ("a.mp4",)): (decibels(0.01) + decibels(0.001)) / 2,
            ("psnr", ("b.mp4",)): decibels(0.1),
            ("psnr-pooled", ("a.mp4",)): decibels(0.0055),
            ("psnr-pooled", ("b.mp4",)): decibels(0.1),
        }
    )


def test_copies_of_a_video_are_one_line_with_all_their_names() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.01, ("copy of a.mp4", 0): 0.01})
    rows = [replace(row, content_id="same") for row in cell.rows]
    table = video_table([replace(cell, rows=rows)])
    assert table["files"].tolist() == [("a.mp4", "copy of a.mp4")]
    assert table["value"].tolist() == pytest.approx([decibels(0.01)])


def test_frames_have_values_where_a_figure_is_their_mean() -> None:
    cell = rated_cell("t", ERRORS, dict.fromkeys(ERRORS, 100.0), system="T")
    values = FrameValues(cell, range(len(cell.rows)))
    row = next(row for row in cell.rows if row.key == ("a.mp4", 1))
    found = values.of(row)
    # Bits have no frames; neither has a figure of the mean of errors.
    assert set(found) == {"psnr"}
    assert found["psnr"] == pytest.approx([decibels(0.001)] * len(row.frame_ids))
    others = made_cell("t", ERRORS, metrics=("psnr-pooled", "psnr-clip"))
    assert FrameValues(others, range(len(others.rows))).of(row) == {}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/usr/bin/toklab", "run", "demo"], "toklab run demo --keep-recon all --out runs/first-kept"),
        (
            ["toklab", "run", "demo", "--keep-recon", "2", "-o", "x", "--out=y", "-t", "a b"],
            "toklab run demo -t 'a b' --keep-recon all --out runs/first-kept",
        ),
        (["toklab", "merge", "a", "b"], ""),
        (["train.py"], ""),
        ([], ""),
    ],
)
def test_the_command_runs_the_same_again_and_keeps_all(command: list[str], expected: str) -> None:
    run = RunResults("Title", (), ({"command": command},), Path("somewhere/first"))
    assert keep_command(run) == expected
    assert keep_command(replace(run, folder=None)) == ""
