"""The table of real clips in docs/results.md says what the figures of each video say."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from toklab.bench.statistics import rank_systems, ratio_interval

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {"psnr": (3, True), "ssim": (4, True), "vmaf": (5, True), "flicker": (6, False)}
"""Place in the table, and whether higher is better."""

Cells = Mapping[tuple[str, str, str], Sequence[str]]


@pytest.fixture(scope="module")
def videos() -> list[dict[str, str]]:
    with (ROOT / "docs" / "real_clips.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def printed() -> Cells:
    """Cells of that table by group, system and regularizer."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    section = text.split("## On real video")[1].split("\n## ")[0]
    cells, group = {}, ""
    for line in section.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("| *"):
            group = parts[0].strip("*")
        elif line.startswith("|") and group:
            cells[group, parts[0], parts[1]] = parts
    return cells


def _groups(videos: list[dict[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in videos:
        labels = found.setdefault(row["group"], [])
        if row["label"] not in labels:
            labels.append(row["label"])
    return found


def _values(videos: list[dict[str, str]], labels: list[str], metric: str) -> np.ndarray:
    """(videos, systems); videos in the order in which runs draw them."""
    by_place = {(row["sha256"], row["label"]): float(row[metric]) for row in videos}
    sources = sorted({row["sha256"] for row in videos})
    return np.array([[by_place[source, label] for label in labels] for source in sources])


@pytest.mark.parametrize("metric", COLUMNS)
def test_figures_intervals_and_ranks_follow_from_the_figures_of_each_video(
    videos: list[dict[str, str]], printed: Cells, metric: str
) -> None:
    column, higher_is_better = COLUMNS[metric]
    lines = iter(printed.values())
    for labels in _groups(videos).values():
        values = _values(videos, labels, metric)
        assert values.shape == (12, len(labels))
        ranking = rank_systems(values, np.ones_like(values), higher_is_better=higher_is_better)
        for system in range(len(labels)):
            cell = next(lines)[column]
            digits = re.match(r"(?:\*\*|<u>)?([\d.]+)(?:\*\*|</u>)? \[([\d.]+), ([\d.]+)\]$", cell)
            assert digits, cell
            value, low, high = (float(text) for text in digits.groups())
            step = 10.0 ** -len(digits[1].split(".")[1])
            interval = ratio_interval(values[:, system], np.ones(len(values)))
            assert interval.low is not None
            assert interval.high is not None
            assert value == pytest.approx(interval.value, abs=0.501 * step)
            # Ends are rounded outwards.
            assert -1e-5 * step <= interval.low - low <= 1.01 * step
            assert -1e-5 * step <= high - interval.high <= 1.01 * step
            assert cell.startswith("**") == (system in ranking.best)
            assert cell.startswith("<u>") == (system in ranking.second)
    assert next(lines, None) is None


def test_vidtok_alone_is_best_of_four_channels_in_quality(videos: list[dict[str, str]]) -> None:
    labels = _groups(videos)["continuous-4"]
    for metric in ("psnr", "ssim", "vmaf"):
        values = _values(videos, labels, metric)
        ranking = rank_systems(values, np.ones_like(values), higher_is_better=True)
        assert [labels[system] for system in ranking.best] == ["vidtok-small-kl-4chn"]
