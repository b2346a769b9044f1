"""Mistakes on the command line: each message names what was given, and the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.bench.cli.main import app
from toklab.bench.execution.options import LONGEST_TIMEOUT_S, RunOptions, resolve_device
from toklab.bench.planning.suite import SuiteError, load_suite
from typer.testing import CliRunner

SUITE = 'name = "own"\ndatasets = ["sample"]\ntokenizers = ["bicubic-4chn"]\nmetrics = ["psnr"]\n'
BICUBIC = ["-t", "bicubic-4chn"]


def message_of(arguments: list[str]) -> str:
    """What the entry point would print."""
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, (ValueError, OSError)), (result.output, result.exception)
    return str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reconstruct", "nope.mp4", *BICUBIC, "-o", "a.mp4"], "there is no file nope.mp4; did you mean nape.mp4?"),
        (
            ["reconstruct", "nape.mp4", *BICUBIC, "-o", "a.png"],
            "--out a.png: a video is written, so the name ends in .mp4",
        ),
        (["reconstruct", "nape.mp4", *BICUBIC, "-o", "a"], "--out a: a video is written"),
        (
            ["reconstruct", "nape.mp4", *BICUBIC, "-o", "a.mp4", "--device", "gpu"],
            "--device 'gpu': there is no such device",
        ),
        (
            ["check-adapter", "bicubic-4chn", "--device", "cuda:99"],
            "--device 'cuda:99': this machine has no such device",
        ),
        (["run", "demo", "--device", "cudaa"], "--device 'cudaa': there is no such device; it has: auto, cpu"),
        (["run", "demo", "--timeout", "inf"], "--timeout inf: give seconds, at most 604800 (a week): --timeout 600"),
        (["run", "demo", "--set", "steps=inf"], "settings: steps must be finite, not inf"),
        (["run", "demo", "--set", "eta=nan"], "settings: eta must be finite, not nan"),
        (["run", "demo", "--set", "steps=2.5"], "the setting steps must be a whole number, not 2.5"),
        (["run", "demo", "--set", "stpes=2"], "unknown inference setting stpes; did you mean steps?"),
        (["run", "demo", "--set", "steps="], "settings: steps must not be empty; give a value, or remove steps"),
        (["run", "demo", "--set-protocol", "height=inf"], "protocol_changes: height must be finite, not inf"),
        (["train", "vidtok"], "there is no recipe vidtok; did you mean vidtok-"),
        (["train", "vidtok-kl-4chn", "--device", "tpu"], "--device 'tpu': there is no such device"),
        (["weights", "pull", "vgg"], "no metric weights and no tokenizer are called 'vgg'; did you mean lpips-vgg?"),
        (["run", "onw.toml"], "there is no suite file onw.toml; did you mean own.toml?"),
    ],
)
def test_the_message_names_what_was_given_and_what_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nape.mp4").write_bytes(b"no video")
    (tmp_path / "own.toml").write_text(SUITE)
    assert message in message_of(arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"nape.mp4", "own.toml"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SUITE + 'dataset = "x"\n', "'dataset' is no key of a suite; did you mean datasets?"),
        (SUITE + "zzz = 1\n", "'zzz' is no key of a suite; there are: name, title, datasets"),
        ('name = "own"\n', "the key datasets is missing; the key tokenizers is missing"),
        (SUITE.replace('["psnr"]', "[]"), "metrics must name at least one"),
        (SUITE.replace('"psnr"', '" "'), "metrics: must not hold an empty name"),
        (SUITE.replace('"own"', '""'), "name: must name a folder"),
        (SUITE.replace('"own"', '"../own"'), "name: must name a folder"),
        (SUITE + "[settings]\nsteps = []\n", "settings: steps must not be an empty list"),
        (SUITE + "[settings]\nsteps = [1, inf]\n", "settings: steps must be finite, not inf"),
        (SUITE + "[protocol_changes]\nsample_fps = nan\n", "protocol_changes: sample_fps must be finite, not nan"),
    ],
)
def test_a_wrong_suite_names_file_key_and_fix(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(SuiteError) as raised:
        load_suite(str(tmp_path / "own.toml"))
    assert str(raised.value).startswith(f"{tmp_path / 'own.toml'}: {message}")
    assert "Extra inputs" not in str(raised.value)


def test_devices_that_are_there_keep_their_names() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda")


def test_a_long_but_finite_timeout_is_taken() -> None:
    assert RunOptions(timeout_s=LONGEST_TIMEOUT_S).timeout_s == LONGEST_TIMEOUT_S


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_no_other_timeout_is(seconds: float) -> None:
    with pytest.raises(ValueError, match="--timeout"):
        RunOptions(timeout_s=seconds)
