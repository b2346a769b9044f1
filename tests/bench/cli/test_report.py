"""`toklab report` offers what the registry of formats holds."""

from __future__ import annotations

import importlib.util

import pytest
import typer
from toklab.bench.cli import report
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
