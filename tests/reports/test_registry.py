"""A format is one line in the registry and the module that it names."""

import json
import sys
from dataclasses import asdict
from types import ModuleType

import pytest
from toklab.reports.registry import FORMATS, load_format
from toklab.reports.report import write_report


@pytest.fixture
def added(monkeypatch):
    """A format of this test's own; its module is imported only by its name."""
    module = ModuleType("format_of_a_test")

    def report_files(report):
        kept = [asdict(figure) for figure in report.figures]
        return {"data/figures.json": json.dumps(kept), "data/radar.png": report.attachments["radar.png"]}

    module.report_files = report_files  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(FORMATS, "json", f"{module.__name__}:report_files")


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_its_function(name, demo_report):
    files = load_format(name)(demo_report)
    assert files
    assert all(isinstance(content, str | bytes) and content for content in files.values())


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_an_added_format_is_written_beside_the_charts(demo_report, tmp_path):
    written = write_report(demo_report, tmp_path, ["json"])
    names = {path.relative_to(tmp_path).as_posix() for path in written}
    assert names == {"radar.png", "radar.pdf", "radar.svg", "radar.json", "data/figures.json", "data/radar.png"}
    assert len(json.loads((tmp_path / "data/figures.json").read_text())) == len(demo_report.figures)
    assert (tmp_path / "data/radar.png").read_bytes() == (tmp_path / "radar.png").read_bytes()
