"""`toklab report` offers what the registry of formats holds."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from run_folders import CELL, ROW
from toklab.bench.cli import report
from toklab.bench.ledger.ledger import Ledger
from toklab.reports.registry import FORMATS
from typer.testing import CliRunner


def help_text() -> str:
    """Help of a fresh copy of the command's module, which reads the registry as it stands now."""
    spec = importlib.util.spec_from_file_location(report.__name__, report.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    app = typer.Typer()
    fresh.register(app)
    return CliRunner().invoke(app, ["report", "--help"], env={"COLUMNS": "200"}).output


def test_formats_are_those_of_the_registry() -> None:
    assert f"[{'|'.join(FORMATS)}]" in help_text()


def test_a_format_added_by_one_line_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "slides", ".formats.slides:report_files")
    assert f"[{'|'.join(FORMATS)}]" in help_text()
    assert "|slides]" in help_text()


@pytest.mark.slow
@pytest.mark.parametrize(("option", "page"), [((), "report.html"), (("--bundle",), "page/index.html")])
def test_a_report_ends_with_the_page(tmp_path: Path, option: tuple[str, ...], page: str) -> None:
    sizes = {"temporal_compression": 4, "spatial_compression": 8, "latent_channels": 4}
    spec = {"name": "t", "family": "f", "title": "T", "regularizer": "kl", "causal": True, **sizes}
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.record(replace(CELL, metrics=("params",), facts={"params_total": 1e6}, spec=spec), ROW)
    app = typer.Typer()
    report.register(app)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--format", "html", *option])
    assert done.exit_code == 0, done.output
    written = tmp_path / "run" / "report" / page
    assert done.output.splitlines()[-1] == f"the page, for a browser: {written}"
    assert written.is_file()
