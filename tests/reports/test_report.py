import json

import pandas as pd
import pytest
from toklab.reports.report import compose_report, write_report
from toklab.reports.schema import TableError

FORMATS = ["md", "csv", "latex"]


@pytest.fixture
def accounting():
    return pd.DataFrame([{"label": "bicubic-4chn", "dataset": "sample", "requested": 24, "scored": 23, "failed": 1}])


@pytest.fixture
def failures():
    return pd.DataFrame([{"label": "bicubic-4chn", "source": "a_b.mp4", "window": 1, "reason": "50 % decoded | cut"}])


@pytest.mark.slow
def test_a_report_has_all_its_files(figures, tmp_path, accounting, failures):
    provenance = {"machine": {"cpu": "x_1", "cores": 2}, "readers": ["decord", "pyav"]}
    folder = tmp_path / "new" / "report"
    report = compose_report(figures, "Demo & more", provenance, accounting=accounting, failures=failures)
    written = write_report(report, folder, FORMATS)
    names = {path.relative_to(folder).as_posix() for path in written}
    assert names == {
        "table.md", "report.md", "table.csv", "table_wide.csv", "radar.png", "radar.pdf", "radar.svg", "radar.json",
        "latex/main.tex", "latex/main.bbl", "latex/references.bib", "latex/figures/radar.pdf",
    }  # fmt: skip
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == names
    text = (folder / "report.md").read_text()
    for expected in (
        "On sample, protocol vidtok (0123456789ab), figures rest on up to 408 frames.",
        "Weights random (seed 0): vidtok-tiny-fsq-262144",
        "to measure it: toklab weights pull lpips-vgg",
        r"| machine.cpu | x\_1 |",
        "| readers | decord, pyav |",
        "| bicubic-4chn | sample | 24 | 23 | 1 |",
        r"50 % decoded \| cut",
    ):
        assert expected in text
    assert json.loads((folder / "radar.json").read_text())["axes"][0]["worst"] == 20.0
    assert (folder / "radar.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_equal_reports_are_equal_files(demo_report, figures, tmp_path):
    written = write_report(demo_report, tmp_path / "a", FORMATS)
    write_report(compose_report(figures, "Demo", {}), tmp_path / "b", FORMATS)
    for path in written:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_a_report_without_enough_axes_says_so(figure, tmp_path):
    write_report(compose_report([figure(value=30.0)], "One", {}), tmp_path, ["md"])
    assert not (tmp_path / "radar.png").exists()
    assert "No radar charts: a radar chart needs 3 measured metrics" in (tmp_path / "report.md").read_text()


def test_bad_input_writes_nothing(figure, figures, tmp_path):
    with pytest.raises(TableError, match="unknown report format slides; there are: md, csv, latex"):
        write_report(compose_report([figure(value=30.0)], "One", {}), tmp_path / "r", ["slides"])
    with pytest.raises(TableError, match="twice"):
        compose_report([*figures, *figures], "Demo", {})
    assert not (tmp_path / "r").exists()
