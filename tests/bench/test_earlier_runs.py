"""Run folders that earlier versions wrote still open, report, compare and go on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toklab.bench import open_run

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def earlier_run(tmp_path: Path) -> Path:
    """A copy of a folder of ledger format 1: four finished cells, one failed, one that was killed on its way."""
    return Path(shutil.copytree(DATA / "run_format_1", tmp_path / "run"))


def records(frame: pd.DataFrame, *keys: str) -> dict[tuple[str, ...], dict[Any, Any]]:
    return {tuple(line[key] for key in keys): line for line in frame.to_dict("records")}


def test_figures_are_those_of_then(earlier_run: Path) -> None:
    keys = ("label", "dataset", "metric")
    then = records(
        pd.read_csv(DATA / "run_format_1_table.csv", keep_default_na=False, na_values={"value": [""]}), *keys
    )
    now = records(open_run(earlier_run).table(), *keys)
    assert list(now) == list(then)
    assert len(now) == 48
    for key, figure in now.items():
        assert figure["value"] == pytest.approx(then[key]["value"], rel=1e-12, nan_ok=True), key
        assert figure["n"] == then[key]["count"], key


def test_states_are_those_of_then(earlier_run: Path) -> None:
    states = records(open_run(earlier_run).accounting(), "label")
    failed, killed = states["vidtok_kl_causal_488_4chn",], states["cdt-tiny-base",]
    assert (failed["status"], failed["hint"]) == ("failed", "toklab weights pull vidtok_kl_causal_488_4chn")
    assert (killed["status"], killed["scored"], killed["not_run"]) == ("open", 2, 4)


def test_comparisons_are_those_of_then(earlier_run: Path) -> None:
    then = records(pd.read_csv(DATA / "run_format_1_compare.csv"), "metric")
    frame = open_run(earlier_run).compare("vidtok-tiny-kl-4chn", "bicubic-4chn")
    now = records(frame, "metric")
    # Then, speeds were timed while the run went on, which is no ground for a comparison.
    assert [*now, ("throughput-decode",)] == list(then)
    assert any(
        "throughput-decode" in line and "timed while its run went on" in line for line in frame.attrs["left_out"]
    )
    for key, pair in now.items():
        for column in ("value_a", "value_b", "difference"):
            assert pair[column] == pytest.approx(then[key][column], rel=1e-12)


@pytest.mark.slow
def test_it_reports(earlier_run: Path, tmp_path: Path) -> None:
    written = open_run(earlier_run).report("md", "csv", out=tmp_path / "report")
    assert tmp_path / "report" / "report.md" in written
