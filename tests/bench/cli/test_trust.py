"""`--trust-torchscript` and `--trust-cards`: archives and cards that are code run only if the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cosmos_archives import ToyContinuousDecoder, ToyContinuousEncoder
from toklab.bench.cli.main import app
from toklab.tokenizers.trust.cards import TRUST_VARIABLE as CARDS_VARIABLE
from toklab.tokenizers.trust.cards import UntrustedCard
from toklab.tokenizers.trust.weight_files import TRUST_VARIABLE
from typer.testing import CliRunner

CARD = """\
name = "toy-archives"
title = "Toy"
family = "cosmos"
adapter = ".cosmos.torchscript:CosmosTorchScriptTokenizer"
regularizer = "ae"
causal = true
temporal_compression = 4
spatial_compression = 8
latent_channels = 3
frame_rule = { multiple = 4, offset = 1 }
size_multiple = 8

[checkpoint]
path = "encoder.jit"
also = { path = "decoder.jit" }
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_with_unknown_archives_needs_the_users_word(
    tmp_path: Path, video_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUST_VARIABLE, "")
    encoder, video = ToyContinuousEncoder(), torch.zeros(1, 3, 5, 16, 16)
    torch.jit.save(torch.jit.trace(encoder, video), tmp_path / "encoder.jit")
    torch.jit.save(torch.jit.trace(ToyContinuousDecoder(), encoder(video)[0]), tmp_path / "decoder.jit")
    (tmp_path / "toy.toml").write_text(CARD)
    run = ["run", "--cards", tmp_path, "-t", "toy-archives", "-d", f"folder:{video_folder}", "-m", "psnr", "--limit", 1]
    small = ["--set-protocol", "height=32", "--set-protocol", "width=32", "--device", "cpu", "-o", tmp_path / "run"]
    command = [str(argument) for argument in (*run, *small)]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    trusted = CliRunner().invoke(app, [*command, "--trust-torchscript"])
    assert trusted.exit_code == 0, trusted.output
    assert "Toy" in trusted.output


FOREIGN_CARD = """\
name = "foreign"
title = "Foreign"
family = "foreign"
adapter = "fake_weights:WeightedTokenizer"
regularizer = "ae"
causal = true
temporal_compression = 1
spatial_compression = 1
latent_channels = 3

[checkpoint]
random_seed = 0
"""


@pytest.mark.slow
def test_a_card_that_names_code_is_listed_so_and_counted_only_if_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CARDS_VARIABLE, "")
    (tmp_path / "foreign.toml").write_text(FOREIGN_CARD)
    cards = ["--cards", str(tmp_path)]
    listed = CliRunner().invoke(app, ["list", *cards]).output
    (line,) = (line for line in listed.splitlines() if line.startswith("foreign "))
    assert line.endswith(" --trust-cards")
    assert "the adapter fake_weights:WeightedTokenizer" in " ".join(listed.split())
    refused = CliRunner().invoke(app, ["check-adapter", "foreign", *cards])
    assert isinstance(refused.exception, UntrustedCard)
    assert "names code" in CliRunner().invoke(app, ["complexity", "foreign", *cards]).output
    trusted = CliRunner().invoke(app, ["complexity", "foreign", *cards, "--trust-cards"])
    assert "names code" not in trusted.output
    assert "--trust-cards" not in CliRunner().invoke(app, ["list", *cards]).output
