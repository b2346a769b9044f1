"""Figures in MLflow and in Weights & Biases, by their own packages."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from made_cells import featured_cell, made_cell, random_cells
from recorded_cells import made_run
from toklab.bench import Run
from toklab.bench.exports import mlflow_logging, wandb_logging
from toklab.bench.exports.logged_runs import LoggingError, logged_runs
from toklab.bench.exports.mlflow_logging import log_to_mlflow
from toklab.bench.exports.wandb_logging import log_to_wandb


@pytest.fixture
def run() -> Run:
    """Two tokenizers on eight videos."""
    return Run(**vars(made_run(random_cells(np.random.default_rng(4), 2, 8), name="two")))


def test_each_tokenizer_is_one_entry_with_its_figures_and_intervals(run: Run) -> None:
    table = run.table().set_index("label")
    logged = list(logged_runs(run))
    assert [one.name for one in logged] == ["t0 on folder", "t1 on folder"]
    for one in logged:
        figure = table.loc[one.parameters["label"]]
        assert one.figures == {"psnr": figure["value"], "psnr.low": figure["low"], "psnr.high": figure["high"]}
        assert one.parameters["protocol_hash"] == run.results[0].cell.protocol_hash


def test_what_is_unavailable_is_a_note_and_no_number() -> None:
    lacking = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("ssim",))
    (logged,) = logged_runs(Run(**vars(made_run([lacking]))))
    assert logged.figures == {}
    assert "ssim" in logged.notes
    (set_logged,) = logged_runs(Run(**vars(made_run([featured_cell("f", 2, 17, 0.3)]))))
    assert set_logged.figures.keys() == {"fvd-i3d", "fvd-i3d.low", "fvd-i3d.high"}


def test_figures_are_those_of_the_entrys_own_cell() -> None:
    made = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("macs",))
    small = replace(made, cell=replace(made.cell, facts={"macs_total": 1e12}))
    large = replace(made, cell=replace(made.cell, protocol_hash="large", facts={"macs_total": 4e12}))
    failed = replace(made, cell=replace(made.cell, status="failed", weights="sha256:01"))
    logged = list(logged_runs(Run("run", (failed, small, large), ())))
    assert [(one.parameters["protocol_hash"], one.parameters["weights"], one.figures) for one in logged] == [
        (made.cell.protocol_hash, made.cell.weights, {"macs": 1.0}),
        ("large", made.cell.weights, {"macs": 4.0}),
    ]


@pytest.mark.slow
def test_mlflow_has_the_figures(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    # The part of MLflow that the extra installs keeps files, if it is told to, and talks to servers.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    identities = log_to_mlflow(run, "an experiment", uri)
    assert log_to_mlflow(run, "an experiment", uri) != identities
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("an experiment")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 4
    for identity, logged in zip(identities, logged_runs(run), strict=True):
        kept = client.get_run(identity)
        assert kept.data.metrics == logged.figures
        assert kept.data.params == logged.parameters
        assert kept.info.run_name == logged.name
        assert kept.info.status == "FINISHED"


@pytest.mark.slow
def test_what_mlflow_refuses_is_one_error(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with pytest.raises(LoggingError, match="MLflow refuses: "):
        log_to_mlflow(run, "x", "nothing://at all")


class _Entry:
    def __init__(self, arguments: dict[str, Any]):
        self.arguments, self.summary, self.id, self.is_finished = arguments, {}, f"id{id(self)}", False

    def __enter__(self) -> _Entry:
        return self

    def __exit__(self, *error: object) -> None:
        self.is_finished = True


@pytest.mark.slow
def test_weights_and_biases_gets_the_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    made: list[_Entry] = []
    monkeypatch.setattr(wandb, "init", lambda **arguments: made.append(_Entry(arguments)) or made[-1])
    assert log_to_wandb(run, "a project", "offline") == [entry.id for entry in made]
    for entry, logged in zip(made, logged_runs(run), strict=True):
        assert entry.summary == {**logged.figures, **{f"note.{name}": text for name, text in logged.notes.items()}}
        assert entry.arguments["config"] == logged.parameters
        assert (entry.arguments["project"], entry.arguments["group"]) == ("a project", "two")
        assert entry.is_finished


@pytest.mark.slow
@pytest.mark.thorough
def test_weights_and_biases_keeps_a_run_offline(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB__SERVICE_WAIT", "600")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (identity,) = log_to_wandb(Run(**{**vars(run), "results": run.results[:1]}), "a project", "offline", tmp_path)
    (kept,) = tmp_path.glob(f"wandb/offline-run-*-{identity}/run-{identity}.wandb")
    content = kept.read_bytes()
    assert b"t0 on folder" in content
    assert b"psnr.high" in content


@pytest.mark.parametrize(("log", "package"), [(log_to_mlflow, "mlflow"), (log_to_wandb, "wandb")])
def test_without_the_package_the_error_names_the_extra(
    run: Run, log: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(f"No module named {package!r}")
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LoggingError, match=rf"pip install 'toklab\[{package}\]'"):
        log(run)


@pytest.mark.parametrize("module", [mlflow_logging, wandb_logging])
def test_nothing_is_imported_before_it_is_used(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    at_the_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    words = {word for node in at_the_top for word in re.findall(r"[\w.]+", ast.unparse(node))}
    assert "annotations" in words
    assert not {word for word in words if word.partition(".")[0] in ("mlflow", "wandb")}
