"""Many people's records in one table, under one protocol."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_cells import made_cell, random_cells
from recorded_cells import VIDTOK, made_run, under_protocol, write_record
from toklab.bench.analysis.leaderboard import LeaderboardError, open_leaderboard
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.cli.main import app
from toklab.datasets.protocol import load_protocol
from toklab.reports.record import writing
from typer.testing import CliRunner

OTHER = VIDTOK.derive(height=128, width=128)


@pytest.fixture
def records(tmp_path: Path) -> list[Path]:
    """Those of three people, under one protocol."""
    cells = random_cells(np.random.default_rng(2), 3, 8)
    return [write_record(made_run([cell]), tmp_path / name) for cell, name in zip(cells, "abc", strict=True)]


@pytest.fixture
def under_another(tmp_path: Path) -> Path:
    """That of somebody who measured the same videos at another size."""
    cell = replace(random_cells(np.random.default_rng(2), 4, 8)[3])
    return write_record(RunResults("small", (under_protocol(cell, OTHER),), ()), tmp_path / "small")


def test_people_are_ranked_together(records: list[Path]) -> None:
    run = open_leaderboard(records, title="Everybody")
    assert run.name == "Everybody"
    table = results_table(run.results)
    assert len(table) == 3
    assert min(table["rank_low"]) == 1
    assert str(table["family"].iloc[0]).startswith("3 systems, 3 pairs, 8 videos")


def test_ranking_across_protocols_is_refused(records: list[Path], under_another: Path) -> None:
    with pytest.raises(LeaderboardError) as raised:
        open_leaderboard([*records, under_another])
    message = str(raised.value)
    assert message.startswith("folder: figures under several protocols can't be ranked together: ")
    assert f"vidtok ({VIDTOK.hash}) in a/record.json, b/record.json, c/record.json" in message
    assert f"({OTHER.hash}) in small/record.json; choose one with --protocol HASH" in message
    chosen = open_leaderboard([*records, under_another], OTHER.hash)
    assert [result.label for result in chosen.results] == ["t3"]
    with pytest.raises(LeaderboardError, match="nothing was measured under the protocol 'cdt'; there are: vidtok"):
        open_leaderboard(records, "cdt")


def test_another_name_of_a_protocol_chooses_the_same_cells(tmp_path: Path) -> None:
    shipped, changed = load_protocol("vidtok-half-rate"), VIDTOK.derive(subsampling=2)
    assert (shipped.hash, shipped.name) == (changed.hash, shipped.name) != (changed.hash, changed.name)
    cells = random_cells(np.random.default_rng(2), 2, 8)
    paths = [
        write_record(RunResults(protocol.name, (under_protocol(cell, protocol),), ()), tmp_path / str(number))
        for number, (cell, protocol) in enumerate(zip(cells, (changed, shipped), strict=True))
    ]
    for chosen in (shipped.name, changed.name, shipped.hash):
        run = open_leaderboard(paths, chosen)
        assert [result.cell.protocol["name"] for result in run.results] == [shipped.name] * 2


def test_one_protocol_for_each_dataset_is_enough(records: list[Path], tmp_path: Path) -> None:
    elsewhere = under_protocol(made_cell("t9", {("x.mp4", 0): 0.1}), OTHER)
    elsewhere = replace(elsewhere, cell=replace(elsewhere.cell, dataset="another"), dataset="another")
    path = write_record(RunResults("r", (elsewhere,), ()), tmp_path / "another")
    assert len(open_leaderboard([*records, path]).results) == 4


@pytest.mark.slow
def test_the_page_is_written_where_the_records_are_too_large_for_one(
    records: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", 1000)
    result = CliRunner().invoke(app, ["leaderboard", *map(str, records), "--out", str(tmp_path / "site")])
    assert result.exit_code == 0, result.output
    assert "the page alone is written: record.json would have" in result.output
    assert {path.name for path in (tmp_path / "site").iterdir()} >= {"index.html", "report.html"}
    assert not (tmp_path / "site" / "record.json").exists()


@pytest.mark.slow
def test_the_command_writes_a_page_and_the_records_together(
    records: list[Path], under_another: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    result = CliRunner().invoke(app, ["leaderboard", *map(str, records), "--out", str(site), "--title", "Everybody"])
    assert result.exit_code == 0, result.output
    page = site / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "Everybody" in text
    for label in ("t0", "t1", "t2"):
        assert label in text
    assert re.search(r"From a/record\.json", text)
    assert str(tmp_path) not in text
    assert [r.label for r in open_leaderboard([site / "record.json"]).results] == ["t0", "t1", "t2"]
    refused = CliRunner().invoke(app, ["leaderboard", *map(str, records), str(under_another), "--out", str(site)])
    assert isinstance(refused.exception, LeaderboardError)


def test_verify_takes_a_record_and_finds_a_changed_one(records: list[Path]) -> None:
    sound = CliRunner().invoke(app, ["verify", str(records[0])])
    assert sound.exit_code == 0, sound.output
    assert "record.json: 1 cells, " in sound.output
    assert "which need a run each" in sound.output
    records[0].write_text(records[0].read_text().replace('"content of v00.mp4"', '"content of v01.mp4"', 1))
    damaged = CliRunner().invoke(app, ["verify", str(records[0])])
    assert damaged.exit_code == 1
    assert "was changed: t0 on folder isn't what was written" in damaged.output
