"""What a run hands to a paper: systems as the ledger knows them, training as the card of these very weights says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from run_folders import CELL, ROW
from toklab.bench.analysis.paper_facts import run_facts
from toklab.bench.analysis.results import RunResults
from toklab.bench.ledger.ledger import Ledger
from toklab.reports.paper.facts import RunFacts
from toklab.tokenizers.catalog import load_cards

TRAINED = "vidtok-small-kl-4chn"


def _facts(folder: Path, **cell: Any) -> RunFacts:
    spec = {"name": TRAINED, "causal": False, "temporal_compression": 4, "spatial_compression": 8}
    given = {"tokenizer": TRAINED, "spec": spec, "protocol": {"name": "p", "height": 32, "width": 48}} | cell
    with Ledger(folder, write=True) as ledger:
        ledger.record(replace(CELL, **given), ROW)
    return run_facts(RunResults.read(folder).results, remarks=["a remark"])


def test_sizes_and_shapes_come_from_the_ledger(tmp_path: Path) -> None:
    facts = _facts(tmp_path, metrics=("psnr",), facts={"params_total": 2.5e6, "macs_total": 3e9})
    (system,) = facts.systems
    assert (system.params, system.macs, system.causal) == (2.5, 0.003, False)
    assert system.input_size == (len(ROW.frame_ids), 32, 48)
    assert system.latent_channels is None
    assert set(facts.conventions) == {"psnr"}
    assert "MSE" in facts.conventions["psnr"]
    assert facts.remarks == ("a remark",)


def test_training_is_told_of_the_very_weights_alone(tmp_path: Path) -> None:
    card = load_cards()[TRAINED]
    assert card.training is not None
    (system,) = _facts(tmp_path / "same", weights=f"sha256:{card.checkpoint.sha256}").systems
    assert system.training is not None
    assert (system.training.steps, system.training.data) == (card.training.steps, card.training.data)
    (other,) = _facts(tmp_path / "other", weights=f"sha256:{'0' * 64}").systems
    assert other.training is None
    (unknown,) = _facts(tmp_path / "unknown", tokenizer="mine").systems
    assert unknown.training is None
