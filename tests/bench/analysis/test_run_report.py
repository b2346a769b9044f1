"""What a run folder hands to its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from run_folders import CELL, ROW
from toklab.bench.analysis.results import RunResults, read_results
from toklab.bench.analysis.run_report import kept_clips, write_run_report
from toklab.bench.ledger.ledger import Ledger


def test_kept_clips_have_the_reconstructions_of_every_tokenizer(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), keep_reconstructions=2)
    with Ledger(tmp_path / "run") as ledger:
        results = read_results(ledger)
    clips = kept_clips(tmp_path / "run", results)
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
    assert kept_clips(tmp_path / "run", results) == clips[1:]


def test_without_reconstructions_there_are_no_clips(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    run_suite(tmp_path / "run", keep_reconstructions=0)
    with Ledger(tmp_path / "run") as ledger:
        assert kept_clips(tmp_path / "run", read_results(ledger)) == []


def test_reports_print_the_sha256_of_the_weights(tmp_path: Path) -> None:
    sha256 = "0123456789abcdef" * 4
    sizes = {"temporal_compression": 4, "spatial_compression": 8, "latent_channels": 4}
    spec = {"name": "t", "family": "f", "title": "T", "regularizer": "kl", "causal": True, **sizes}
    cell = replace(CELL, weights=f"sha256:{sha256}", metrics=("params",), facts={"params_total": 1e6}, spec=spec)
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.record(cell, ROW)
    written = write_run_report(RunResults.read(tmp_path / "run"), None, ("md", "latex"))
    for name in ("report.md", "report.tex"):
        assert sha256 in next(path for path in written if path.name == name).read_text(encoding="utf-8")
