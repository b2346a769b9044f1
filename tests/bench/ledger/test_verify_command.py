from __future__ import annotations

from pathlib import Path

import pytest
from released_cells import random_windows, released_cell
from run_folders import all_of, write_run
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.cli.main import app
from toklab.bench.ledger.ledger import Ledger
from typer.testing import CliRunner


@pytest.mark.slow
def test_verify_gives_exit_code_1_for_damage_and_names_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    sound = CliRunner().invoke(app, ["verify", str(run)])
    assert sound.exit_code == 0
    assert "[damaged]" not in sound.output
    path = run / "cells" / "c1.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    damaged = CliRunner().invoke(app, ["verify", str(run)])
    assert damaged.exit_code == 1
    for part in (f"[damaged] {path}", "t (seed=1)", "delete it", "toklab run -t t"):
        assert part in damaged.output
    assert damaged.output.count("[damaged]") == 1
    CliRunner().invoke(app, ["verify", str(run), "--forget-damaged"])
    assert CliRunner().invoke(app, ["verify", str(run)]).exit_code == 0
    assert all_of(run)["rows"]["c1"] == []


def write_cell(folder: Path, cell: CellResults) -> Path:
    with Ledger(folder, write=True) as ledger:
        ledger.record(cell.cell, *cell.rows, *(m for of in cell.measurements.values() for m in of.values()))
    return folder


@pytest.mark.parametrize(
    ("decibels", "code", "words"), [(28.36, 0, "1 reproduced"), (50.0, 3, "1 contradicted")], ids=["agrees", "differs"]
)
def test_exit_code_3_says_that_a_published_figure_is_contradicted(
    tmp_path: Path, decibels: float, code: int, words: str
) -> None:
    # Table 5 of the VidTok paper prints 28.36 dB for this model.
    factor = 10 ** (-decibels / 10)
    windows = {name: [[factor] * 4] for name in random_windows(0)}
    windows["videoSRC01.mp4"][0][0] *= 1.01
    run = write_cell(tmp_path / "run", released_cell(windows))
    result = CliRunner().invoke(app, ["verify", str(run)])
    assert result.exit_code == code, result.output
    output = result.output
    assert words in output
    assert "Tang et al., VidTok, arXiv:2412.13061, Table" in output
    assert output.index("[ok]") < output.index("Published figures") < output.index("Convention audit")


def test_damage_is_named_before_any_figure_is_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert "no published figure is known" in CliRunner().invoke(app, ["verify", str(run)]).output
    path = run / "cells" / "c1.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    result = CliRunner().invoke(app, ["verify", str(run)])
    assert result.exit_code == 1
    assert "published figures aren't compared before the damage is gone" in result.output
    assert "Convention audit" not in result.output
