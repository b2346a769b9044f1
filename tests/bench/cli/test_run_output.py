"""What `toklab run` prints for people, for scripts and for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.bench import open_run
from toklab.bench.cli.main import app
from toklab.bench.cli.output import results_alone, say_json
from toklab.bench.cli.run_end import print_document, print_end, result_document, say_failures
from toklab.bench.execution.run_summary import RunSummary
from typer.testing import CliRunner

METRICS = ("psnr", "bpp", "lpips-vgg")


def run_words(folder: Path, out: Path, *more: str) -> list[str]:
    """The command line of a run that scores one tokenizer and fails another."""
    tokenizers = ("-t", "average", "-t", "nan")
    small = ("--set-protocol", "height=32", "--set-protocol", "width=32", "--limit-videos", "1")
    return ["run", *tokenizers, "-d", f"folder:{folder}", "-m", "psnr", *small, "--out", str(out), *more]


@pytest.mark.slow
def test_a_document_holds_figures_cells_and_failures_as_python_reads_them(
    tmp_path: Path, run_suite: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    summary, _ = run_suite(tmp_path / "run", ("average", "nan"), METRICS)
    document = result_document(tmp_path / "run", Path("runs/mine"), summary)
    assert print_document(document, as_json=True) == 1
    read = json.loads(capsys.readouterr().out)
    assert read == document
    assert (read["folder"], read["exit_code"]) == ("runs/mine", 1)
    run = open_run(tmp_path / "run")
    table = run.table()
    assert [(f["label"], f["metric"]) for f in read["figures"]] == list(zip(table.label, table.metric, strict=True))
    for found, expected in zip(read["figures"], table.to_dict("records"), strict=True):
        for name, value in expected.items():
            assert found[name] == value or (found[name] is None and value != value)
    psnr, lpips = (next(f for f in read["figures"] if f["metric"] == m) for m in ("psnr", "lpips-vgg"))
    assert psnr["value"] is not None
    assert lpips["value"] is None
    assert lpips["hint"] == "toklab weights pull lpips-vgg"
    failures = run.failures()
    assert [f["window"] for f in read["failures"]] == list(failures.window)
    assert len(failures)
    cells = {cell["label"]: cell for cell in read["cells"]}
    assert (cells["average"]["videos"], cells["average"]["scored"]) == (3, 6)
    assert (cells["nan"]["videos"], cells["nan"]["failed"]) == (0, 6)

    assert print_document(document, as_json=False) == 1
    assert capsys.readouterr().out == "runs/mine\n"
    say_failures(Path("runs/mine"), summary)
    captured = capsys.readouterr()
    assert captured == ("", "0 tokenizers and 6 windows failed; `toklab report runs/mine` gives the reasons.\n")
    say_failures(Path("runs/mine"), RunSummary(0, 0))
    assert capsys.readouterr() == ("", "")
    assert print_end(tmp_path / "run", tmp_path / "run", summary) == 1
    table = capsys.readouterr().out
    assert "not measured: LPIPS; toklab weights pull lpips-vgg" in table
    assert f"run folder: {tmp_path / 'run'}" in table


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--json",), ("--quiet",)])
def test_standard_output_holds_the_result_alone(
    words: tuple[str, ...], tmp_path: Path, fake_tokenizers: None, video_folder: Path
) -> None:
    done = CliRunner().invoke(app, run_words(video_folder, tmp_path / "run", *words))
    assert done.exit_code == 1
    if "--json" in words:
        assert json.loads(done.stdout)["folder"] == str(tmp_path / "run")
    else:
        assert done.stdout == f"{tmp_path / 'run'}\n"
    said = done.stderr.splitlines()
    assert "failed; `toklab report" in said[-1]
    assert (len(said) == 1) == ("--quiet" in words)


def test_what_others_print_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with results_alone():
            print("from Python")
            os.write(1, b"from C\n")
            raise OSError("the run's own")

    with pytest.raises(OSError, match="the run's own"):
        fails()
    print("the result")
    out, err = capfd.readouterr()
    assert out == "the result\n"
    assert sorted(err.splitlines()) == ["from C", "from Python"]


def test_json_is_ascii_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"label": "\x1b[31m \x7f \u202e \udc80 ü\n", "value": None}
    say_json(document)
    out = capsys.readouterr().out
    assert json.loads(out) == document
    assert all(char == "\n" or 0x20 <= ord(char) < 0x7F for char in out)
    with pytest.raises(ValueError, match="JSON"):
        say_json({"value": float("nan")})


def test_a_plan_as_json() -> None:
    words = ["plan", "demo", "-t", "bicubic-4chn", "-t", "vidtok-small-kl-4chn", "--set", "seed=0,1", "--limit", "4"]
    done = CliRunner().invoke(app, [*words, "--json"])
    plan = json.loads(done.stdout)
    assert (plan["suite"], plan["limit"], plan["limit_videos"]) == ("demo", 4, None)
    assert [cell["label"] for cell in plan["cells"]] == [
        "bicubic-4chn",
        "vidtok-small-kl-4chn",
        "vidtok-small-kl-4chn (seed=1)",
    ]
    assert {len(cell["protocol_hash"]) for cell in plan["cells"]} == {12}


def test_what_works_and_what_there_is_as_json() -> None:
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["findings"]
    assert {finding["state"] for finding in found} <= {"ok", "missing", "broken"}
    assert "reader av" in {finding["subject"] for finding in found}
    words = ["list", "tokenizers", "--family", "vidtok", "--ready", "--json"]
    listed = json.loads(CliRunner().invoke(app, words).stdout)["tokenizers"]
    assert {(record["family"], record["ready"]) for record in listed} == {("vidtok", True)}
