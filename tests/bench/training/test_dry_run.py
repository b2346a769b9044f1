"""What a training would take, against the same training with numbers."""

from __future__ import annotations

import pytest
import torch
from toklab.bench.cli.main import app
from toklab.bench.training.dry_run import FLOAT32, DryRun, dry_run
from toklab.bench.training.terms import reconstruction_terms
from toklab.bench.training.training import build_objective, network_of
from toklab.tokenizers.catalog import build_tokenizer
from toklab.tokenizers.training.export import initial_card
from toklab.tokenizers.training.recipe import load_recipe
from torch import Tensor
from typer.testing import CliRunner

RECIPE = "cdt"


@pytest.fixture(scope="module")
def counted() -> DryRun:
    """A dry run of a small recipe, with an hour's throughput and two processes."""
    return dry_run(RECIPE, steps=900, processes=2, clips_per_second=2.0)


def saved_bytes(name: str) -> tuple[int, int]:
    """Bytes that autograd keeps of a batch on the CPU, and parameters of the model."""
    recipe = load_recipe(name)
    model = network_of(build_tokenizer(initial_card(recipe)))
    terms = reconstruction_terms(recipe, lambda text: None)
    objective = build_objective(recipe, model, terms).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in objective.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    size, num_frames = recipe.data["size"], recipe.data["num_frames"]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = objective(torch.rand(recipe.optimization.batch_size, 3, num_frames, size, size) * 2 - 1, 0)
    total = sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)
    assert losses["total"].requires_grad
    return total, sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.slow
@pytest.mark.thorough
def test_memory_is_that_of_the_training_itself(counted: DryRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toklab.bench.training.terms.weights.locate", lambda file: None)
    activations, parameters = saved_bytes(RECIPE)
    assert counted.parameters == counted.trained == parameters
    whole = counted.memory["32-true"]
    # LPIPS stands in the dry run where the training has SSIM here.
    lpips = 14_714_688 + 1472
    assert whole.averages == FLOAT32 * parameters
    assert abs(whole.weights - FLOAT32 * (parameters + lpips)) < 100
    assert (whole.gradients, whole.moments) == (FLOAT32 * parameters, 2 * FLOAT32 * parameters)
    assert whole.activations > activations
    assert whole.total == whole.weights + whole.averages + whole.gradients + whole.moments + whole.activations
    mixed = counted.memory["bf16-mixed"]
    assert mixed.activations < whole.activations
    assert (mixed.weights, mixed.moments) == (whole.weights, whole.moments)


@pytest.mark.slow
@pytest.mark.thorough
def test_clips_and_hours_follow_from_the_recipe(counted: DryRun) -> None:
    plan = load_recipe(RECIPE).optimization
    assert counted.clips_a_step == plan.batch_size * plan.accumulated_batches * 2
    assert counted.clips == counted.clips_a_step * 900
    assert counted.hours == pytest.approx(counted.clips / 2.0 / 3600)
    assert f"{counted.clips:,} clips" in counted.text
    assert f"{counted.hours:,.1f} at 2 clips/s" in counted.text


@pytest.mark.slow
def test_without_lpips_activations_are_those_of_the_training_itself(tmp_path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'extends = "{RECIPE}"\nname = "own"\n[terms]\nlpips = 0.0\n')
    counted = dry_run(path)
    activations, _ = saved_bytes(str(path))
    # A GPU's layers keep a little more or less than a CPU's.
    assert counted.memory["32-true"].activations == pytest.approx(activations, rel=0.05)
    assert counted.hours is None
    assert "give --clips-per-second" in counted.text


@pytest.mark.slow
def test_the_command_says_it_and_trains_nothing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["train", "vidtok-paper-stage1", "--dry-run", "--clips-per-second", "40"])
    assert result.exit_code == 0, result.output
    assert "157,451,663, of which 157,451,663 are trained; discriminator 2,765,633" in result.output
    assert "50,000, 800,000 clips" in result.output
    assert "5.6 at 40 clips/s" in result.output
    assert not list(tmp_path.iterdir())


def test_its_options_go_with_it_alone() -> None:
    result = CliRunner().invoke(app, ["train", "vidtok-kl-4chn", "--clips-per-second", "40"])
    assert result.exit_code == 2
    assert "go with --dry-run" in result.output
