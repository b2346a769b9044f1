"""`--trust-torchscript`: archives whose SHA-256 no card gives run only if the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cosmos_archives import ToyContinuousDecoder, ToyContinuousEncoder
from toklab.bench.cli.main import app
from toklab.tokenizers.checkpoints import TRUST_VARIABLE
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
def test_a_run_with_unknown_archives_needs_the_users_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUST_VARIABLE, "")
    encoder, video = ToyContinuousEncoder(), torch.zeros(1, 3, 5, 16, 16)
    torch.jit.save(torch.jit.trace(encoder, video), tmp_path / "encoder.jit")
    torch.jit.save(torch.jit.trace(ToyContinuousDecoder(), encoder(video)[0]), tmp_path / "decoder.jit")
    (tmp_path / "toy.toml").write_text(CARD)
    run = ["run", "--cards", tmp_path, "-t", "toy-archives", "-d", "sample", "-m", "psnr", "--limit", 1]
    small = ["--set-protocol", "height=32", "--set-protocol", "width=32", "--device", "cpu", "-o", tmp_path / "run"]
    command = [str(argument) for argument in (*run, *small)]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1
    trusted = CliRunner().invoke(app, [*command, "--trust-torchscript"])
    assert trusted.exit_code == 0, trusted.output
    assert "Toy" in trusted.output
