"""What a training would take: parameters, memory, steps, clips and hours, counted without a weight or a video."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...datasets.training_data import TrainingData
from ...tokenizers.catalog import build_on_meta
from ...tokenizers.training.export import initial_card
from ...tokenizers.training.losses import ReconstructionTerms
from ...tokenizers.training.named_code import require_trust
from ...tokenizers.training.objective import Objective
from ...tokenizers.training.recipe import Recipe
from .terms import LpipsLoss, reconstruction_terms
from .training import build_objective, network_of, recipe_of

GIB = 2**30
FLOAT32 = 4
"""Bytes. Weights, gradients and what optimizers keep are float32 in mixed precision, too."""
ADAM_MOMENTS = 2
MEMORY_COLUMNS = ("weights", "averages", "gradients", "optimizer", "activations", "total")
PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes on each device while a step runs, without what its libraries take for themselves."""

    weights: int
    """Of tokenizer, discriminator and loss networks."""
    averages: int
    """Of the tokenizer's averaged weights."""
    gradients: int
    moments: int
    """What Adam keeps of each trained weight."""
    activations: int
    """What the backward pass of one batch needs, rounded weights in mixed precision included."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.averages + self.gradients + self.moments + self.activations


@dataclass(frozen=True)
class DryRun:
    """The size of a training."""

    recipe: Recipe
    data: TrainingData
    parameters: int
    """Of the tokenizer."""
    trained: int
    """Those of them that learn."""
    discriminator: int
    """Parameters of the discriminator; 0 where there is none."""
    memory: dict[str, MemoryPlan]
    """By precision."""
    processes: int
    clips_per_second: float | None
    """That all processes together train on, if it is known."""

    @property
    def clips_a_step(self) -> int:
        """Of all processes."""
        plan = self.recipe.optimization
        return plan.batch_size * plan.accumulated_batches * self.processes

    @property
    def clips(self) -> int:
        """In all steps."""
        return self.clips_a_step * self.recipe.optimization.steps

    @property
    def hours(self) -> float | None:
        """Without validation; ``None`` where no throughput is known."""
        return self.clips / self.clips_per_second / 3600 if self.clips_per_second else None

    @property
    def text(self) -> str:
        """For the terminal."""
        plan, data = self.recipe.optimization, self.data
        shape = f"{data.num_frames}×{data.size}×{data.size}"
        lines = [
            f"{self.recipe.name}: {self.recipe.description}",
            f"  parameters   {self.parameters:,}, of which {self.trained:,} are trained"
            + (f"; discriminator {self.discriminator:,}" if self.discriminator else ""),
            f"  clips        {shape}, {self.clips_a_step} a step: batches of {plan.batch_size}"
            f" × {plan.accumulated_batches} accumulated × {self.processes} process{'es' if self.processes > 1 else ''}",
            f"  steps        {plan.steps:,}, {self.clips:,} clips",
            "  memory       GiB on each device, about, by precision:",
            f"    {'':12}" + "".join(f"{name:>13}" for name in MEMORY_COLUMNS),
        ]
        for name, memory in self.memory.items():
            parts = (memory.weights, memory.averages, memory.gradients, memory.moments, memory.activations)
            numbers = "".join(f"{part / GIB:13.1f}" for part in (*parts, memory.total))
            lines.append(f"    {name:12}{numbers}{'  the recipe' if name == plan.precision else ''}")
        if self.hours is None:
            lines.append("  hours        give --clips-per-second, of all processes together")
        else:
            lines.append(f"  hours        {self.hours:,.1f} at {self.clips_per_second:g} clips/s, without validation")
        return "\n".join(lines)


def dry_run(
    recipe_name: str | Path,
    *,
    steps: int | None = None,
    processes: int = 1,
    clips_per_second: float | None = None,
) -> DryRun:
    """Count what a training would take.

    Activations are counted by a forward pass of one batch without memory, as CUDA would run it; every loss term takes
    part, LPIPS too where its weights aren't on this machine. Gradient checkpointing isn't counted.

    Args:
        recipe_name: a shipped recipe, or a TOML file.
        steps: in place of the recipe's.
        processes: that train together.
        clips_per_second: of all processes together.

    Raises:
        ValueError: :class:`TrainingError`, ``CardError``, ``TokenizerError`` or an error of the data's table.
    """
    recipe = recipe_of(recipe_name, steps)
    require_trust(recipe)
    data = TrainingData.from_mapping(recipe.data)
    objective, terms = _on_meta(recipe)
    model = objective.model
    learning = list(objective.trained_parameters())
    of_model = {id(parameter) for parameter in model.parameters()}
    adversary = _numel(terms.adversary.parameters()) if terms.adversary else 0
    shape = (recipe.optimization.batch_size, 3, data.num_frames, data.size, data.size)
    memory = {
        name: MemoryPlan(
            weights=_bytes_of(objective) + _bytes_of(terms),
            averages=_bytes_of(model),
            gradients=FLOAT32 * (_numel(learning) + adversary),
            moments=FLOAT32 * ADAM_MOMENTS * (_numel(learning) + adversary),
            activations=activation_bytes(*_on_meta(recipe), shape, dtype),
        )
        for name, dtype in PRECISIONS.items()
    }
    trained = _numel(parameter for parameter in learning if id(parameter) in of_model)
    return DryRun(recipe, data, _numel(model.parameters()), trained, adversary, memory, processes, clips_per_second)


def _on_meta(recipe: Recipe) -> tuple[Objective[Any], ReconstructionTerms]:
    """A recipe's objective and terms on the meta device, without weights."""
    model = network_of(build_on_meta(initial_card(recipe)))
    # Adaptive weights take a backward pass, which needs a device.
    terms = reconstruction_terms(recipe, lambda text: None, lpips=_lpips_on_meta, adaptive=False).to("meta")
    return build_objective(recipe, model, terms).train().to("meta"), terms


def activation_bytes(
    objective: Objective[Any], terms: ReconstructionTerms, shape: tuple[int, ...], dtype: torch.dtype
) -> int:
    """Bytes of the tensors that autograd keeps of a forward pass, weights left out.

    Args:
        objective: on the meta device; of no use afterwards.
        terms: the same.
        shape: of the batch, (B, 3, T, H, W).
        dtype: float32, or what mixed precision computes in.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    step = terms.step = max((term.start for term in terms.terms.values()), default=0)
    with torch.no_grad():
        # What networks compute once and keep needs numbers, which the tensors below don't have.
        objective(torch.empty(shape, device="meta"), step)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in (*objective.modules(), *terms.modules()):
            _drop_memory(module)
        weights = [*objective.parameters(), *objective.buffers(), *terms.parameters(), *terms.buffers()]
        try:
            # Without a GPU torch.autocast would switch itself off.
            torch.set_autocast_enabled("cuda", dtype != torch.float32)
            torch.set_autocast_dtype("cuda", dtype)
            torch.autocast_increment_nesting()
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                losses = objective(torch.empty(shape, device="cuda"), step)
        finally:
            torch.autocast_decrement_nesting()
            torch.clear_autocast_cache()
            torch.set_autocast_enabled("cuda", False)
            torch.set_autocast_dtype("cuda", torch.float16)
    assert losses["total"].requires_grad
    own = {weight.untyped_storage()._cdata for weight in weights}
    return sum(storage.nbytes() for key, storage in kept.items() if key not in own)


def _drop_memory(module: nn.Module) -> None:
    """Give a module weights that have a shape, a type and a GPU, and no memory there."""
    for name, parameter in module._parameters.items():
        if parameter is not None:
            empty = torch.empty_like(parameter, device="cuda")
            module._parameters[name] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = torch.empty_like(buffer, device="cuda")


def _numel(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _bytes_of(module: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in (*module.parameters(), *module.buffers()))


def _lpips_on_meta(dropout: bool) -> LpipsLoss:
    """LPIPS without weights."""
    from torchvision.models import vgg16

    from ..metrics.lpips import build_lpips

    with torch.device("meta"):
        backbone = vgg16(weights=None).state_dict()
    return LpipsLoss(build_lpips("vgg", backbone), dropout=dropout)
