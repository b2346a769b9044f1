"""`toklab weights`: verified wherever found, pinned, and helpful about misspelt names."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.bench.cli.main import app
from toklab.bench.inventory import weight_catalog
from toklab.bench.metrics import weights
from toklab.tokenizers.trust.lock import LockError, read_pins
from typer.testing import CliRunner

NAME = "vidtok_kl_causal_488_4chn"


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of a download."""
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    card = weight_catalog.tokenizers().entry(NAME).card  # type: ignore[attr-defined]
    assert not card.checkpoint.sha256, "this test is about a card without a hash"
    path = tmp_path / Path(card.checkpoint.file).name
    path.write_bytes(b"first")
    return path


def test_a_file_that_is_here_is_verified_when_pulled(checkpoint: Path) -> None:
    assert weight_catalog.pull_weights(NAME) == checkpoint
    checkpoint.write_bytes(b"second!")
    with pytest.raises(LockError, match="was pinned at"):
        weight_catalog.pull_weights(NAME)


@pytest.mark.slow
def test_lock_pins_checks_and_updates(checkpoint: Path) -> None:
    first = CliRunner().invoke(app, ["weights", "lock"])
    assert first.exit_code == 0
    assert "pinned now" in first.output
    (pin,) = read_pins().values()
    assert pin.sha256 in first.output
    assert f"{pin.sha256[:12]} pinned" in CliRunner().invoke(app, ["weights", "list"]).output
    assert " ok " in CliRunner().invoke(app, ["weights", "lock", NAME]).output
    checkpoint.write_bytes(b"second!")
    changed = CliRunner().invoke(app, ["weights", "lock"])
    assert changed.exit_code == 1
    assert f"toklab weights lock --update {NAME}" in changed.output
    assert next(iter(read_pins().values())) == pin
    assert CliRunner().invoke(app, ["weights", "lock", "--update"]).exit_code == 2
    assert CliRunner().invoke(app, ["weights", "lock", "--update", NAME]).exit_code == 0
    assert CliRunner().invoke(app, ["weights", "lock"]).exit_code == 0
    assert weight_catalog.pull_weights(NAME) == checkpoint


@pytest.mark.parametrize(
    ("name", "near"), [("vgg", "lpips-vgg"), ("vidtok_kl_causal_488_4chm", NAME), ("i3d", "fvd-i3d")]
)
def test_a_misspelt_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(
        ValueError, match=rf"no metric weights and no tokenizer are called '{name}'; did you mean.*{near}"
    ):
        weight_catalog.pull_weights(name)


def test_a_metrics_file_whose_hash_toklab_knows_needs_no_pin() -> None:
    text, changed = weight_catalog.lock_table(["lpips-vgg"])
    assert changed == 0
    (line,) = (line for line in text.splitlines() if line.startswith("lpips-vgg"))
    assert weights.LPIPS_VGG.sha256 in line
    assert "toklab's own" in line
    assert read_pins() == {}
