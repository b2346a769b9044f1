from __future__ import annotations

from pathlib import Path

from run_folders import all_of, write_run
from toklab.bench.cli.main import app
from typer.testing import CliRunner


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
