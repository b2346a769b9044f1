"""The suite of the paper's Table 1: without checkpoints, and with small stand-ins for all of its systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import toklab
from toklab.bench.analysis.published_check import check_published
from toklab.bench.analysis.results import RunResults, read_results
from toklab.bench.catalog.catalog import tokenizers
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import load_suite, shipped_suites
from toklab.reports.published.by_card import published_rows
from toklab.reports.published.literature import vidtok_table1

SMALL = ("--set-protocol", "height=64", "--set-protocol", "width=64")


@pytest.mark.parametrize("name", shipped_suites())
def test_every_shipped_suite_can_be_planned(name: str) -> None:
    assert plan_cells(load_suite(name))


def test_every_published_row_of_a_card_is_of_a_card_that_ships() -> None:
    catalog = tokenizers()
    assert [name for name in published_rows() if name not in catalog] == []


def test_the_suite_has_a_system_for_every_row_of_the_table() -> None:
    catalog = tokenizers()
    suite = load_suite("table1")
    specs = [catalog.entry(name).spec() for name in suite.tokenizers]
    rows = {(figure.system, figure.regularizer) for figure in vidtok_table1()}
    missing = {
        row for row in rows if not any(s.title.startswith(row[0]) and s.regularizer_label == row[1] for s in specs)
    }
    assert missing == {("MAGVIT-v2", "LFQ - 262,144")}
    assert len(specs) == len(rows) == 12


@pytest.mark.slow
@pytest.mark.thorough
def test_without_checkpoints_every_row_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    code, output = toklab("run", "table1", *SMALL, "-m", "params", "-m", "psnr", "--out", tmp_path / "run")
    assert code == 1
    output_text = " ".join(output.split())
    for name in load_suite("table1").tokenizers:
        assert f"toklab weights pull {name}" in output_text
    assert "TencentARC/Open-MAGVIT2-Tokenizer-262144-Video" in output_text
    # VidTok's parameters are known without its weights.
    assert "157.5" in output
    assert "MAGVIT-v2 †" in output
    assert "published, not measured here: Tang et al." in output_text
    toklab("report", tmp_path / "run", "-f", "md")
    text = (tmp_path / "run" / "report" / "report.md").read_text()
    assert "| MAGVIT-v2<sup>†</sup> | LFQ - 262,144 |" in text
    assert "| VidTok<sup>†</sup> | KL - 16chn | 157 |" in text


@pytest.mark.slow
def test_stand_ins_run_end_to_end(tmp_path: Path, make_video: Callable[[Path, int], Path]) -> None:
    pytest.importorskip("diffusers", reason="the extra diffusers")
    from table1_stand_ins import write_stand_ins

    cards = tmp_path / "cards"
    cards.mkdir()
    names = write_stand_ins(cards)
    make_video(tmp_path / "mcl" / "videoSRC01.mp4", 17)
    make_video(tmp_path / "webvid" / "videos" / "000001_000050" / "1.mp4", 17)
    (tmp_path / "webvid" / "results_10M_val.csv").write_text("videoid,page_dir\n1,000001_000050\n")
    code, output = toklab(
        *(
            "run",
            "table1",
            "--cards",
            cards,
            *SMALL,
            "-m",
            "params",
            "-m",
            "psnr",
            "-m",
            "ssim",
            "--keep-recon",
            "none",
        ),
        *("-d", f"mcl-jcv:{tmp_path / 'mcl'}", "-d", f"webvid-val:{tmp_path / 'webvid'}", "--out", tmp_path / "run"),
    )
    assert code == 0, output
    with Ledger(tmp_path / "run") as ledger:
        results = read_results(ledger)
    expected = [names[name] for name in load_suite("table1").tokenizers]
    assert sorted(result.cell.tokenizer for result in results) == sorted(expected * 2)
    assert all(len(result.scored()) == 1 for result in results)
    assert {result.cell.weights.partition(":")[0] for result in results} == {"sha256"}
    assert "MAGVIT-v2 †" in output
    code, output = toklab("verify", tmp_path / "run")
    assert code == 0, output
    checks = check_published(RunResults.read(tmp_path / "run"))
    measured = {check.label.partition(" (")[0]: check.agreement for check in checks if check.label}
    # Nothing was published of Open-MAGVIT2 on these datasets: it stands in the place of MAGVIT-v2, another model.
    assert set(measured) == set(expected) - {names["open-magvit2-video"]}
    for label, agreement in measured.items():
        target = next(name for name, stand_in in names.items() if stand_in == label)
        assert agreement.verdict == "not comparable"
        assert agreement.reason == f"{label} stands in for {target}, and is another model"
        assert agreement.reason in output
    rows = {(check.published.figure.system, check.published.figure.regularizer) for check in checks}
    assert {(figure.system, figure.regularizer) for figure in vidtok_table1()} <= rows
    assert "its weights aren't public" in output
