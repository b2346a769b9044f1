"""What a run folder hands to its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_cells import made_cell, rated_cell
from released_cells import random_windows, released_cell
from run_folders import CELL, ROW
from toklab.bench.analysis import run_report
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.results import RunResults, read_results
from toklab.bench.analysis.run_report import kept_clips, run_figures, write_run_report
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.suite import Suite
from toklab.datasets.protocol import load_protocol
from toklab.reports.paper.layout import PaperLayout
from toklab.reports.record import writing
from toklab.reports.record.writing import RecordSizeError
from toklab.reports.schema import TableError
from toklab.reports.tables.table import build_table


def test_kept_clips_have_the_reconstructions_of_every_tokenizer(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), keep_reconstructions=2)
    with Ledger(tmp_path / "run") as ledger:
        results = read_results(ledger)
    clips = kept_clips(results)
    assert len(clips) == 2
    assert {(clip.dataset, clip.protocol_hash) for clip in clips} == {
        (result.dataset, result.cell.protocol_hash) for result in results
    }
    for clip in clips:
        assert list(clip.reconstructions) == ["average", "signs"]
        files = [clip.reference, *clip.reconstructions.values()]
        assert len({path.name for path in files}) == 1
        assert len(set(files)) == 3
    clips[0].reference.unlink()
    assert kept_clips(results) == clips[1:]


def test_without_reconstructions_there_are_no_clips(tmp_path: Path) -> None:
    assert kept_clips([replace(made_cell("t", {("a.mp4", 0): 0.1}), folder=tmp_path)]) == []


@pytest.mark.slow
def test_a_record_that_is_too_large_holds_up_no_other_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", 1000)
    monkeypatch.setattr(run_report, "FORMATS", ("md", "json"))
    run = RunResults("large", (made_cell("t", {("a.mp4", 0): 0.1}),), ())
    for formats in (("json",), ("md", "json")):
        with pytest.raises(RecordSizeError, match="put fewer systems into a record, or choose other formats"):
            write_run_report(run, tmp_path / "named", formats)
    names = {path.name for path in write_run_report(run, tmp_path / "all")}
    assert "report.md" in names
    assert "record.json" not in names
    assert "There is no record: record.json would have" in (tmp_path / "all" / "report.md").read_text()


def test_reports_print_the_sha256_of_all_weights(tmp_path: Path) -> None:
    hashes = ("0123456789abcdef" * 4, "fedcba9876543210" * 4)
    sizes = {"temporal_compression": 4, "spatial_compression": 8, "latent_channels": 4}
    spec = {"name": "t", "family": "f", "title": "T", "regularizer": "kl", "causal": True, **sizes}
    cell = replace(CELL, metrics=("params",), facts={"params_total": 1e6}, spec=spec)
    with Ledger(tmp_path / "run", write=True) as ledger:
        for sha256 in hashes:
            ledger.record(replace(cell, cell_id=sha256[:4], weights=f"sha256:{sha256}"))
            ledger.record(replace(ROW, cell_id=sha256[:4]))
    written = write_run_report(RunResults.read(tmp_path / "run"), None, ("md", "latex"))
    for name in ("report.md", "main.tex"):
        text = next(path for path in written if path.name == name).read_text(encoding="utf-8")
        for sha256 in hashes:
            assert sha256 in text.replace(r"\allowbreak{}", "")


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes the most time of a report."""
    monkeypatch.setattr(run_report, "run_charts", lambda *arguments: [])


@pytest.mark.parametrize(
    ("changes", "is_the_papers"),
    [({}, True), ({"colour_matrix": "bt601"}, True), ({"crop": "top-left", "round_to_uint8": True}, False)],
)
def test_a_protocol_that_only_has_the_name_shares_no_column_with_the_paper(
    changes: dict[str, Any], is_the_papers: bool
) -> None:
    protocol = load_protocol("vidtok").model_copy(update=changes)
    figures = run_figures([released_cell(random_windows(0), protocol=protocol)], published=True)
    hashes = {
        origin: {f.protocol_hash for f in figures if (f.origin, f.protocol) == (origin, "vidtok")}
        for origin in ("measured", "published")
    }
    assert hashes["measured"] == {protocol.hash}
    assert (hashes["published"] == hashes["measured"]) == is_the_papers
    foreign = [note for note in build_table(figures).footnotes if "not comparable" in note.text]
    assert any("protocol vidtok (" in note.text for note in foreign) != is_the_papers


def test_a_suite_sets_the_scales_of_its_radar(tmp_path: Path, without_charts: None) -> None:
    errors = {(f"v{source}.mp4", 0): 0.01 for source in range(2)}
    half, bits = dict.fromkeys(errors, 0.5), dict.fromkeys(errors, 100.0)
    cell = rated_cell("a", errors, bits, system="A", ssim=half, lpips_vgg=half)
    suite = Suite(
        name="s", datasets=("d",), tokenizers=("a",), metrics=("psnr",), radar_scales={"ssim": [0.0, 0.8]}
    )  # fmt: skip
    write_run_report(RunResults("s", (cell,), (), suite=suite), tmp_path, ("md",))
    axes = {axis["metric"]: axis for axis in json.loads((tmp_path / "radar.json").read_text())["axes"]}
    assert (axes["ssim"]["worst"], axes["ssim"]["best"], axes["ssim"]["scale_source"]) == (0.0, 0.8, "suite s")
    assert (axes["psnr"]["worst"], axes["psnr"]["best"]) == (20.0, 40.0)


@pytest.fixture
def codecs() -> RunResults:
    """A run of two codecs at two rates each."""
    cells = []
    for system, gain in (("A", 1.0), ("B", 0.8)):
        for rate in (100.0, 300.0):
            errors = {(f"v{source}.mp4", 0): gain * (1 + source) / rate for source in range(6)}
            cells.append(rated_cell(f"{system}-{rate:g}", errors, dict.fromkeys(errors, rate), system=system))
    return RunResults("codecs", tuple(cells), ())


@pytest.mark.slow
def test_differences_to_a_tokenizer_are_in_every_format(codecs: RunResults, tmp_path: Path) -> None:
    write_run_report(codecs, tmp_path, ("md", "latex"), difference_to="B-100")
    markdown, latex = (tmp_path / "report.md").read_text(), (tmp_path / "latex" / "main.tex").read_text()
    for chart in ("psnr_by_position_difference", "rate_distortion_difference"):
        assert f"({chart}.png)" in markdown
        assert f"{{{chart}.pdf}}" in latex
        assert (tmp_path / f"{chart}.csv").read_text().split("\n")[0].count("low,high") == 1
    # The errors of B are those of A times 0.8, in every video: 0.97 dB.
    assert "| A | B | bd-quality(psnr) | -0.97 dB |" in markdown
    assert "A & B & bd-quality(psnr) & $-$0.97 dB &" in latex
    note = "(2) a curve has only 2 points"
    assert note in markdown
    assert note in latex
    assert (tmp_path / "bd_rate.csv").read_text().count("\n") == 3


def test_differences_to_an_unknown_tokenizer_are_refused(codecs: RunResults, tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="codecs holds no 'C'; it holds A-100, A-300, B-100, B-300"):
        write_run_report(codecs, tmp_path / "report", ("md",), difference_to="C")
    assert not (tmp_path / "report").exists()


def test_a_paper_has_the_chosen_venue_and_columns(codecs: RunResults, tmp_path: Path, without_charts: None) -> None:
    with pytest.raises(TableError, match="no column psnr-b in this report; there are: "):
        write_run_report(codecs, tmp_path / "none", ("latex",), layout=PaperLayout("cvpr", ("psnr-b",)))
    assert not (tmp_path / "none").exists()
    write_run_report(codecs, tmp_path, ("latex",), layout=PaperLayout("cvpr", ("psnr",)))
    text = (tmp_path / "latex" / "main.tex").read_text()
    assert r"\documentclass[10pt,letterpaper,twocolumn]{article}" in text
    main = text.partition(r"\label{tab:main}")[2].partition(r"\midrule")[0]
    assert "PSNR" in main
    assert "bpp" not in main
