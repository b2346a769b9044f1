"""The qualitative strips of a run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from kept_runs import write_kept_run
from toklab.bench.analysis import run_report
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.frame_pixels import FramePixels
from toklab.bench.analysis.kept_frames import ChosenFrame, KeptWindow
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.run_report import kept_clips, run_figures, write_run_report
from toklab.bench.analysis.strips import ERROR_LIMITS, NOTHING_KEPT, error_limit, frame_numbers, pack, run_strips
from toklab.bench.execution.reconstructions import FOLDER
from toklab.bench.metrics.psnr import FramePsnr
from toklab.bench.metrics.ssim import gaussian_ssim
from toklab.reports.charts.pictures import Chart
from toklab.reports.charts.strips import MOST_SYSTEMS


def strips(results: list[CellResults]) -> tuple[list[Chart], list[str]]:
    """The strips of some cells, and what is said of those that are left out."""
    left_out: list[str] = []
    return run_strips(results, run_figures(results, published=False), left_out), left_out


@pytest.fixture
def cells(tmp_path: Path) -> list[CellResults]:
    """Three tokenizers, four clips."""
    return write_kept_run(tmp_path, ["a", "b", "c"], num_clips=4)


def test_the_numbers_of_a_strip_are_the_ledgers(cells: list[CellResults]) -> None:
    charts, left_out = strips(cells)
    assert left_out == []
    (chart,) = charts
    assert sorted(set(chart.points["rule"])) == ["best", "by hash", "median difference", "worst"]
    assert len(set(chart.points["source"])) == 4
    ledger = {
        (cell.label, measured.file, position): psnr
        for cell in cells
        for measured in cell.windows(FramePsnr())
        for position, psnr in enumerate(FramePsnr().numerators(measured))
    }
    drawn = [text.get_text() for text in chart.drawing.texts]
    for row in chart.points.to_dict("records"):
        assert row["psnr"] == ledger[row["label"], row["source"], row["position"]]
        assert f"{row['psnr']:.2f} dB, {row['ssim']:.3f}" in drawn
        assert any(f"{row['source']}, window 0, frame {row['position'] + 1} of 3" in text for text in drawn)
    assert "worst: lowest mean PSNR" in chart.caption
    assert "8 bits where the run has none" in chart.caption


def test_damaged_clips_are_said_and_passed_over(cells: list[CellResults], tmp_path: Path) -> None:
    files = {cell.label: sorted((tmp_path / FOLDER / cell.label).iterdir()) for cell in cells}
    cut, swapped, short = files["a"][0], files["b"][1], files["c"][2]
    cut.write_bytes(cut.read_bytes()[:100])
    shutil.copy(files["b"][0], swapped)
    short.write_bytes(b"")
    names = {
        path.stem: row.source for cell in cells for row, path in ((row, _path(cell, row.source)) for row in cell.rows)
    }
    charts, left_out = strips(cells)
    (chart,) = charts
    bad = {names[path.stem] for path in (cut, swapped, short)}
    assert not set(chart.points["source"]) & bad
    assert set(chart.points["label"]) == {"a", "b", "c"}
    for path, label in ((cut, "a"), (swapped, "b"), (short, "c")):
        assert any(f"Kept reconstruction by {label} of {names[path.stem]}, window 0" in said for said in left_out)
    assert not any(str(tmp_path) in said for said in left_out)


def _path(cell: CellResults, source: str) -> Path:
    (clip,) = (clip for clip in kept_clips([cell]) if clip.source == source)
    return clip.reconstructions[cell.label]


def test_a_damaged_reference_takes_its_clip_and_a_system_without_clips_is_named(
    cells: list[CellResults], tmp_path: Path
) -> None:
    reference = kept_clips(cells)[1].reference
    reference.write_bytes(reference.read_bytes()[:200])
    shutil.rmtree(tmp_path / FOLDER / "b")
    charts, left_out = strips(cells)
    (chart,) = charts
    assert set(chart.points["label"]) == {"a", "c"}
    assert set(chart.points["source"]) == {"v0.mp4", "v2.mp4", "v3.mp4"}
    assert [said.split(",")[0] for said in left_out] == [
        "Kept reference of v1.mp4",
        "No frames of b are shown on videos",
    ]


def test_without_kept_clips_one_line_says_how_to_keep_them(cells: list[CellResults], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / FOLDER)
    for some in (cells, [replace(cell, folder=None) for cell in cells]):
        assert strips(some) == ([], [NOTHING_KEPT])
    assert "--keep-recon" in NOTHING_KEPT
    assert strips([]) == ([], [])


def test_windows_of_another_length_have_strips_of_their_own(tmp_path: Path) -> None:
    causal = write_kept_run(tmp_path, ["a", "b"], num_clips=2, num_frames=3)
    other = write_kept_run(tmp_path, ["c"], num_clips=1, num_frames=2)
    charts, left_out = strips([*causal, *other])
    assert [set(chart.points["label"]) for chart in charts] == [{"a", "b"}, {"c"}]
    assert left_out == []
    # A clip for readers to see has one length, too.
    assert [list(clip.reconstructions) for clip in kept_clips([*causal, *other])] == [
        ["a", "b"],
        ["a", "b"],
        ["c"],
    ]


def test_systems_are_packed_by_group() -> None:
    groups = {f"{group}{n + 1}": group for group, many in (("d", 8), ("e", 3), ("f", 2), ("g", 1)) for n in range(many)}
    packed = pack(list(groups), groups)
    assert packed == [["d1", "d2", "d3", "d4"], ["d5", "d6", "d7", "d8"], ["e1", "e2", "e3", "f1", "f2"], ["g1"]]
    assert all(len(strip) <= MOST_SYSTEMS for strip in packed)
    assert pack([], {}) == []


def pixels(reference: np.ndarray, **made: np.ndarray) -> FramePixels:
    """Frames that nobody scored."""
    window = KeptWindow("c", "c.mp4", 0, (0,), Path(), {}, {}, {})
    return FramePixels(ChosenFrame("by hash", window, 0), reference, made)


@pytest.mark.parametrize("strength", [0, 1, 4, 30, 200])
def test_the_scale_holds_99_percent_of_the_differences(strength: int) -> None:
    generator = np.random.default_rng(strength)
    reference = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    made = (reference + generator.normal(0, strength, (2, 20, 30, 3))).clip(0, 255).astype(np.uint8)
    limit = error_limit([pixels(reference, a=made[0]), pixels(reference, b=made[1])])
    errors = np.abs(made.astype(float) - reference).mean(-1)
    assert (errors <= limit).mean() >= 0.99
    smaller = [each for each in ERROR_LIMITS if each < limit]
    assert not smaller or (errors <= smaller[-1]).mean() < 0.99
    assert error_limit([]) == 1


def test_numbers_that_the_ledger_lacks_come_from_the_kept_frames() -> None:
    generator = np.random.default_rng(0)
    reference, made = generator.integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    psnr, ssim = frame_numbers(pixels(reference, a=made), "a")
    assert psnr == pytest.approx(-10 * np.log10(np.mean(((made.astype(float) - reference) / 255) ** 2) + 1e-8))
    videos = [torch.from_numpy(f / 127.5 - 1.0).permute(2, 0, 1)[None, :, None].float() for f in (reference, made)]
    assert ssim == pytest.approx(float(gaussian_ssim(*videos)), abs=1e-6)
    small = pixels(reference[:8], a=made[:8])
    assert np.isnan(frame_numbers(small, "a")[1])


@pytest.mark.slow
def test_strips_stand_in_the_report(cells: list[CellResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_report, "run_charts", lambda *arguments: [])
    run = RunResults("run", tuple(cells), (), folder=tmp_path)
    write_run_report(run, tmp_path / "report", ("md",))
    assert "![Frames of kept clips" in (tmp_path / "report" / "report.md").read_text()
    assert (tmp_path / "report" / "strip_1.png").stat().st_size > 1000
    assert (tmp_path / "report" / "strip_1.csv").read_text().startswith("label,rule,source,window,position,psnr,ssim")
