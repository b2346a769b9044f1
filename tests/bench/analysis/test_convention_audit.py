"""The convention audit of a run: every move from its rows, and what they can't tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_cells import featured_cell, made_cell
from released_cells import random_windows, released_cell, scaled, without
from toklab.bench.analysis import run_report
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.condition_switches import difference
from toklab.bench.analysis.convention_audit import audit_tables
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.analysis.run_report import write_run_report
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.metrics.psnr import decibels
from toklab.datasets.protocol import load_protocol
from toklab.reports.schema import read_figures
from toklab.reports.tables.named import NamedTable
from toklab.reports.tables.plain import to_markdown

WINDOWS = random_windows(0)


def values(table: NamedTable) -> list[dict[str, Any]]:
    return [dict(zip(table.values.columns, row, strict=True)) for row in table.values.to_numpy()]


def moves(table: NamedTable) -> dict[tuple[str, str], float]:
    return {(row["label"], row["words"]): row["move"] for row in values(table)}


def pair(**options: Any) -> list[CellResults]:
    one = released_cell(WINDOWS, tokenizer="one", lpips_vgg=scaled(WINDOWS, 90), **options)
    return [one, released_cell(scaled(WINDOWS, 2), tokenizer="two", lpips_vgg=scaled(WINDOWS, 50), **options)]


def test_each_figure_moves_by_the_difference_of_its_two_conventions() -> None:
    (table,) = audit_tables(pair())
    assert table.name == "convention_audit"
    pooled = "dB of the mean squared error of all frames"
    for label, factor in (("one", 1), ("two", 2)):
        errors = factor * np.array(list(WINDOWS.values())).ravel()
        expected = decibels(errors.mean()) - decibels(errors).mean()
        assert moves(table)[label, pooled] == pytest.approx(expected)
    for row in values(table):
        assert row["move"] == pytest.approx(row["other"] - row["value"])
        assert row["videos"] == 12
    text = to_markdown(table.table)
    for label in ("one", "two"):
        assert f"| {label} |" in text
    number = next(note for note in table.table.notes if note.endswith(f"PSNR average: {pooled}")).split()[0]
    column = list(table.table.columns).index(number)
    printed = {row[0]: row[column] for row in table.table.rows}
    assert printed["one"] == f"{moves(table)['one', pooled]:+.2f}"


def test_what_moves_nothing_has_no_column_and_what_the_rows_lack_is_said_with_its_option() -> None:
    (table,) = audit_tables(pair())
    notes = " ".join(table.table.notes)
    assert "These move no figure by a printed digit. PSNR: without 1e-8" in notes
    assert "LPIPS by other conventions needs the command of the run once more with: AlexNet (-m lpips-alex)" in notes
    for option in ("round_to_uint8=true", "crop=top-left", "subsampling=2"):
        assert option in notes
    assert "-m psnr-clip" not in notes  # the rows tell it


def test_a_backbone_that_was_measured_is_a_column_and_needs_no_run() -> None:
    cell = released_cell(WINDOWS, lpips_vgg=scaled(WINDOWS, 90), lpips_alex=scaled(WINDOWS, 20))
    (table,) = audit_tables([cell])
    mean = np.mean(list(WINDOWS.values()))
    assert moves(table)[cell.label, "AlexNet"] == pytest.approx(-70 * mean)
    assert "-m lpips-alex-spatial" in " ".join(table.table.notes)
    assert "AlexNet (-m lpips-alex)" not in " ".join(table.table.notes)


def test_conditions_are_compared_over_the_videos_that_both_scored() -> None:
    rounded = load_protocol("vidtok").derive(round_to_uint8=True)
    fewer = dict(list(scaled(WINDOWS, 1.5).items())[3:])
    tables = audit_tables([released_cell(WINDOWS), released_cell(fewer, protocol=rounded)])
    assert [table.name for table in tables][-1] == "condition_audit"
    (row,) = values(tables[-1])
    errors = np.array(list(WINDOWS.values()))[3:]
    assert (row["switch"], row["words"], row["videos"]) == ("float or 8 bits", "round_to_uint8=true", 9)
    assert row["value"] == pytest.approx(decibels(errors).mean())
    assert row["move"] == pytest.approx(decibels(1.5 * errors).mean() - decibels(errors).mean())
    assert all("round_to_uint8" not in note for table in tables for note in table.table.notes)


LAST = list(WINDOWS)[6:]


def test_a_convention_that_some_windows_lack_is_compared_over_the_others() -> None:
    ssim = {name: (1 - 20 * np.asarray(of)).clip(0, 1).tolist() for name, of in WINDOWS.items()}
    cell = without(released_cell(WINDOWS, ssim=ssim, ssim_skimage=ssim), "ssim-skimage", LAST)
    (table,) = audit_tables([cell])
    row = next(row for row in values(table) if "scikit-image" in row["words"])
    assert (row["move"], row["videos"], row["windows"]) == (0, 6, 12)
    assert row["value"] == pytest.approx(np.mean([of for name, of in ssim.items() if name not in LAST]))
    assert (
        f"SSIM of {cell.label}, SSIM window: 7×7 uniform, scikit-image's default: only 12 of 24 windows were measured "
        f"both ways; there the figure is {row['value']:.4f}"
    ) in table.table.notes


@pytest.mark.parametrize("same", [True, False])
def test_distances_of_other_windows_are_not_set_against_each_other(same: bool) -> None:
    of_frames = made_cell("one", {(f"v{n}.mp4", at): 0.01 * 2**n for n in range(8) for at in range(2)})
    features = [featured_cell("one", 2, 2, 0.1, metric=name) for name in ("fvd-i3d", "fvd-i3d-crop")]
    cells = [of_frames, *features]
    cell = replace(
        of_frames,
        cell=replace(of_frames.cell, metrics=tuple(name for cell in cells for name in cell.cell.metrics)),
        measurements={
            row.key: {k: m for c in cells for k, m in c.measurements[row.key].items()} for row in of_frames.rows
        },
        references={clip: packed for cell in cells for clip, packed in cell.references.items()},
    )
    cell = cell if same else without(cell, "fvd-i3d-crop", ["v3.mp4"])
    (table,) = audit_tables([cell])
    moved = [(row["videos"], row["windows"]) for row in values(table) if row["metric"] == "fvd-i3d"]
    assert moved == ([(8, 16)] if same else [])
    assert (
        any("only 14 of 16 windows were measured both ways; so no move" in note for note in table.table.notes) != same
    )


def test_conditions_are_compared_over_the_windows_that_both_have() -> None:
    cell = released_cell(WINDOWS)
    rounded = released_cell(scaled(WINDOWS, 1.5), protocol=load_protocol("vidtok").derive(round_to_uint8=True))
    rows = [row if row.window == 0 else replace(row, status="failed", reason="x") for row in rounded.rows]
    (row,) = values(audit_tables([cell, replace(rounded, rows=rows)])[-1])
    first = np.array([of[0] for of in WINDOWS.values()])
    assert (row["videos"], row["windows"]) == (12, 12)
    assert row["value"] == pytest.approx(decibels(first).mean())
    assert row["other"] == pytest.approx(decibels(1.5 * first).mean())


def test_where_the_windows_are_what_is_turned_whole_videos_are_compared() -> None:
    shorter = load_protocol("vidtok").derive(max_frames=17)
    cells = [released_cell(WINDOWS), released_cell({name: of[:1] for name, of in WINDOWS.items()}, protocol=shorter)]
    (row,) = values(audit_tables(cells)[-1])
    errors = np.array(list(WINDOWS.values()))
    assert (row["switch"], row["videos"], row["windows"]) == ("frames", 12, 12)
    assert row["move"] == pytest.approx(decibels(errors[:, 0]).mean() - decibels(errors).mean())
    rows = [replace(row, status="failed") if row.key == (LAST[0], 1) else row for row in cells[0].rows]
    (row,) = values(audit_tables([replace(cells[0], rows=rows), cells[1]])[-1])
    kept = np.delete(errors, 6, axis=0)
    assert row["videos"] == 11
    assert row["move"] == pytest.approx(decibels(kept[:, 0]).mean() - decibels(kept).mean())


def test_settings_that_a_tokenizer_does_not_use_turn_no_switch() -> None:
    codec, other = (
        released_cell(WINDOWS, spec={"regularizer": "codec"}, settings={"precision": precision}).cell
        for precision in ("float32", "bfloat16")
    )
    assert difference(codec, other).switches == ()
    network = replace(codec, spec={"regularizer": "kl"})
    assert difference(network, other).words == "precision=bfloat16"


def test_tokenizers_of_other_weights_are_other_tokenizers() -> None:
    crop = load_protocol("vidtok").derive(crop="top-left")
    tables = audit_tables([released_cell(WINDOWS), released_cell(WINDOWS, protocol=crop, weights="sha256:02")])
    assert "condition_audit" not in [table.name for table in tables]


def test_distances_of_sets_are_taken_from_the_figures() -> None:
    cell = released_cell(WINDOWS)
    names = {"fvd-i3d": 100.0, "fvd-i3d-crop": 130.0}
    features = pack_arrays({"features": np.zeros(400, np.float32)})
    measurements = {
        row.key: {
            key: Measurement(cell.cell.cell_id, *row.key, key, features)
            for key in (find_metric(name).measurement_key for name in names)
        }
        for row in cell.rows
    }
    cell = replace(cell, cell=replace(cell.cell, metrics=tuple(names)), measurements=measurements)
    frame = results_table([cell])
    figures = [replace(figure, value=names[figure.metric]) for figure in read_figures(frame)]
    (table,) = audit_tables([cell], figures)
    assert [row[0] for row in table.table.rows] == [figures[0].system]
    assert [(row["metric"], row["other"], row["move"]) for row in values(table)] == [("fvd-i3d", 130.0, 30.0)]
    assert audit_tables([cell]) == []  # without features of the references there are no figures


def test_a_run_without_scored_windows_has_no_audit() -> None:
    assert audit_tables([]) == []
    assert audit_tables([released_cell({})]) == []


def test_every_report_has_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_report, "run_charts", lambda *arguments: [])
    written = write_run_report(RunResults("run", tuple(pair()), ()), tmp_path, ("md", "latex", "csv"))
    texts = {path.name: path.read_text() for path in written if path.suffix in (".md", ".tex", ".csv")}
    assert "dB of the mean squared error of all frames" in texts["convention_audit.csv"]
    for name in ("report.md", "main.tex"):
        assert "Convention audit" in texts[name]


def test_a_metric_whose_code_fails_leaves_the_audit_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("toklab.bench.metrics.lpips.LpipsVgg.source_sums", fail)
    (table,) = audit_tables(pair())
    assert {row["metric"] for row in values(table)} == {"psnr"}
