"""Plugins in a run: what one of them raises stays with it, also when the run is given again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_plugins import Frames, plugins_variable
from toklab.bench import open_run
from toklab.bench.cli.report import print_run


@pytest.fixture
def hostile(run_suite: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs with hostile plugins."""
    monkeypatch.setenv("TOKLAB_PLUGINS", plugins_variable())
    return run_suite


@pytest.mark.slow
def test_a_metric_that_fails_is_no_success_however_often_it_is_run(
    tmp_path: Path, hostile: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out, metrics = tmp_path / "run", ("psnr", "frames", "exits-in-measure", "exits-in-prepare", "refuses")
    for _ in range(2):
        summary, _ = hostile(out, ("average",), metrics, limit=2)
        assert (summary.failed_cells, summary.failed_windows, summary.broken_metrics) == (0, 0, 2)
        assert summary.exit_code == 1
    table = {line["metric"]: line for line in open_run(out).table().to_dict("records")}
    assert table["frames"]["value"] == 34
    assert table["psnr"]["n"] == 34
    assert table["exits-in-measure"]["note"] == "SystemExit: 0"
    assert table["exits-in-prepare"]["note"] == "the metric's own code fails: SystemExit: 0"
    summary, _ = hostile(tmp_path / "other", ("average",), ("psnr", "refuses", "exits-in-aggregate"), limit=2)
    assert summary.exit_code == 0
    assert print_run(tmp_path / "other")
    assert "the metric's own code fails" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_windows_that_a_metric_no_longer_measures_are_told(tmp_path: Path, hostile: Callable[..., Any]) -> None:
    hostile(tmp_path / "run", ("average",), ("psnr", "frames"), limit=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Frames, "prepare", _exit)
        # As of a process of its own: nothing is kept of the metric that was there.
        summary, _ = hostile(tmp_path / "run", ("average",), ("psnr", "frames"), limit=4)
    assert summary.exit_code == 1
    table = {line["metric"]: line for line in open_run(tmp_path / "run").table().to_dict("records")}
    assert table["frames"]["value"] == 34
    assert table["frames"]["note"] == "2 windows without it: the metric's own code fails: SystemExit: 0"


def _exit(*arguments: object) -> None:
    raise SystemExit(0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("exits-in-sources", "failed"), ("changing", "finished")])
def test_a_dataset_that_fails_is_a_failed_tokenizer(
    tmp_path: Path, hostile: Callable[..., Any], video_folder: Path, name: str, status: str
) -> None:
    from toklab.bench.execution.options import RunOptions
    from toklab.bench.execution.session import run_into
    from toklab.bench.planning.suite import Suite

    suite = Suite.model_validate(
        {
            "name": "two",
            "datasets": (f"{name}:{video_folder}", f"folder:{video_folder}"),
            "protocol_changes": {"height": 32, "width": 32},
            "tokenizers": ("average",),
            "metrics": ("frames",),
        }
    )
    summary = run_into(tmp_path / "run", suite, RunOptions(limit=1), said="nothing")
    assert summary.failed_cells == (status == "failed")
    found = open_run(tmp_path / "run").accounting()
    assert sorted(found["status"]) == sorted([status, "finished"])
    assert set(found.loc[found["status"] == "failed", "reason"]) <= {"SystemExit: 0"}
