"""Mistakes in the words of a command, through the entry point: one clean line, and exit code 2."""

from __future__ import annotations

import sys

import pytest
from toklab.bench.cli import main as command
from toklab.bench.cli.main import _main


def said(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed on standard error, which must be one line."""
    monkeypatch.setattr(sys, "argv", ["toklab", *arguments])
    with pytest.raises(SystemExit) as ended:
        _main()
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("toklab: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command: runn; did you mean run?; see toklab --help"),
        (["data", "lsit"], "No such command: lsit; did you mean list?; see toklab data --help"),
        (["xyzzy"], "No such command: xyzzy; see toklab --help"),
        (["report", "--fromat", "md"], "No such option: --fromat; did you mean --format?; see toklab report --help"),
        (["list", "metrcs"], "'metrcs' is not one of 'tokenizers', 'datasets', 'metrics', 'suites'; did you mean"),
        (["list", "metrcs"], "did you mean metrics?; see toklab list --help"),
        (["run", "demo", "--batch-size", "x"], "Invalid value for '--batch-size'"),
        (["run", "demo", "--batch-size", "0"], "Invalid value for '--batch-size'"),
        (["report"], "Missing argument"),
        (["run", "demo", "--device"], "--device"),
        (
            ["run", "demo", "--batch-size", "few"],
            "give a number, at least 1, or auto, not 'few'; see toklab run --help",
        ),
        (["plan", "demo", "--speed", "nan"], "a speed is a number above 0, not nan"),
        (["train", "cdt", "--dry-run", "--clips-per-second", "inf"], "give a number, not inf"),
        (
            ["log", "run", "--to", "wandb", "--tracking-uri", "x"],
            "--tracking-uri: goes with --to mlflow; see toklab log",
        ),
        (["complexity", "--table", "9"], "tables with sizes are 1, 2, 5; see toklab complexity --help"),
    ],
)
def test_one_line_names_the_mistake_and_the_nearest_word(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said(arguments, monkeypatch, capsys)


@pytest.mark.parametrize("word", ["[/b]", "[red]x[/]", "a\x1b[31mb", "a\u202eb", "two\nlines", "x' is not one of 'y"])
@pytest.mark.parametrize("before", [[], ["list"], ["run", "demo", "--reader"], ["report", "x", "--limit"]])
def test_hostile_words_are_cleaned_and_are_no_markup(
    word: str, before: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = said([*before, word], monkeypatch, capsys)
    assert not set("\x1b\u202e") & set(line)
    if "limit" not in " ".join(before):
        # Versions of typer print a line break as a blank or as \\n.
        shown = word.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e").splitlines()
        assert all(part in line for part in shown)


def test_hostile_options_are_cleaned(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(["list", "--[/b]\x1b[31m\u202e"], monkeypatch, capsys)
    assert r"No such option: --[/b]\x1b[31m\u202e; see toklab list --help" in line


def test_a_command_without_words_is_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["toklab", "weights"])
    with pytest.raises(SystemExit):
        _main()
    captured = capsys.readouterr()
    assert "Usage: toklab weights" in captured.out + captured.err
    assert "toklab: " not in captured.err


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (3, 3)])
def test_the_exit_code_of_a_command_is_that_of_the_process(
    code: int, ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "app", lambda standalone_mode: code or None)
    with pytest.raises(SystemExit) as ended:
        _main()
    assert ended.value.code == ends


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("run", "interrupted; give the same command again to go on where it stopped"),
        ("train", "interrupted; give the same command again with --resume to go on from the last checkpoint"),
        ("report", "interrupted"),
    ],
)
def test_ctrl_c_says_how_to_go_on_where_a_command_can(
    name: str, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    app = type(command.app)()
    for word in (name, "another"):
        app.command(word)(interrupted)
    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["toklab", name])
    with pytest.raises(SystemExit) as ended:
        _main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip().splitlines()[-1] == f"toklab: {how}"
