"""Two steps of each recipe of the papers, with the network at full size and one short, small clip, on a CPU.

The steps are those of ``toklab train``: mixed precision, every loss term from the first step on, clipping, averages.
LPIPS has a random backbone. No checkpoint is written: it would take several GB.
"""

from __future__ import annotations

import csv
import math
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toklab.bench.metrics.lpips import build_lpips
from toklab.bench.training.terms import LpipsLoss, reconstruction_terms
from toklab.bench.training.training import build_objective, network_of
from toklab.tokenizers.catalog import build_tokenizer
from toklab.tokenizers.training import loop
from toklab.tokenizers.training.export import initial_card
from toklab.tokenizers.training.loop import TrainingResult, train
from toklab.tokenizers.training.recipe import load_recipe, shipped_recipes
from torch import Tensor, nn

SIZE = 32
STEPS = 2
PAPERS = sorted(name for name in shipped_recipes() if "paper" in name)


def random_lpips(dropout: bool) -> LpipsLoss:
    from torchvision.models import vgg16

    return LpipsLoss(build_lpips("vgg", vgg16(weights=None).state_dict()), dropout=dropout)


def sums(model: nn.Module) -> dict[str, float]:
    """The sum of each parameter's squares, which tells whether it moved."""
    return {name: parameter.detach().double().square().sum().item() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", PAPERS)
def test_two_steps(benchmark, say, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")
    monkeypatch.setattr(loop, "save_checkpoint", lambda *arguments: None)
    recipe = load_recipe(name)
    recipe = replace(
        recipe,
        terms=replace(recipe.terms, adversarial_start=0),
        optimization=replace(
            recipe.optimization, steps=STEPS, batch_size=1, accumulated_batches=1, warmup_steps=0, log_every=1
        ),
    )
    card = initial_card(recipe)
    tokenizer = build_tokenizer(card)
    model = network_of(tokenizer)
    terms = reconstruction_terms(recipe, say, lpips=random_lpips)
    objective = build_objective(recipe, model, terms)
    trained = {id(parameter) for parameter in objective.trained_parameters()}
    before = sums(model)
    shape = (1, 3, card.spec.temporal_compression + 1, SIZE, SIZE)

    def clips(step: int, process: int) -> Tensor:
        return torch.rand(shape, generator=torch.Generator().manual_seed(step)) * 2 - 1

    def run() -> TrainingResult:
        return train(recipe, objective, terms, clips, lambda step: {"psnr": 0.0}, tmp_path)

    assert benchmark.pedantic(run, rounds=1, iterations=1).steps == STEPS
    with (tmp_path / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == STEPS
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    assert {"perceptual" if recipe.terms.lpips else "l1"} <= rows[0].keys()
    after = sums(model)
    moved = {key for key, parameter in model.named_parameters() if after[key] != before[key]}
    assert not {key for key, parameter in model.named_parameters() if key in moved and id(parameter) not in trained}
    assert len(moved) > 0.9 * sum(id(parameter) in trained for parameter in model.parameters())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    benchmark.extra_info["peak_gib"] = peak
    say(f"{name}: {benchmark.stats.stats.total / STEPS:.1f} s a step, peak of the process so far {peak:.1f} GiB")
