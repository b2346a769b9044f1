"""What changes in a training from step to step, and the step that changes it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..networks.distributed import mean_over_processes, sum_over_processes
from .descent import Descent, learning_rate
from .ema import WeightAverage
from .errors import TrainingError
from .gradients import sound_gradients
from .losses import ReconstructionTerms
from .objective import Objective
from .recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Validate = Callable[[int], Mapping[str, float]]
"""Measures the model as it is after so many steps; figures by name, such as ``psnr``."""


class TrainingState:
    """The weights, their averages, the optimizers and the discriminator.

    Raises:
        TrainingError: if the objective trains nothing.
    """

    def __init__(self, recipe: Recipe, objective: Objective, terms: ReconstructionTerms, fabric: Fabric):
        plan = recipe.optimization
        self.recipe = recipe
        self.fabric = fabric
        self._bfloat16_on_cpu = fabric.device.type == "cpu" and plan.precision == "bf16-mixed"
        self.terms = terms.to(fabric.device)
        self.objective = objective.train().to(fabric.device)
        parameters = list(objective.trained_parameters())
        if not parameters:
            raise TrainingError(f"{recipe.name}: {recipe.objective} trains no parameter")
        self.generator = Descent(parameters, plan, clip_norm=plan.clip_norm, full_rate_fan_in=plan.full_rate_fan_in)
        if plan.compile:
            for module in objective.compiled_modules():
                module.compile()
        self._wrapped = fabric.setup_module(objective)
        self.adversary = terms.adversary
        self.discriminator: Descent | None = None
        if self.adversary is not None:
            self.adversary.batches_a_step = plan.accumulated_batches
            self.discriminator = Descent(
                list(self.adversary.parameters()), plan, clip_norm=recipe.terms.discriminator_clip_norm
            )
        self.average = WeightAverage(objective.model, plan.ema_decay)
        self.step = 0
        self.seconds = 0.0
        self.validation: dict[str, float] = {}
        self.start: dict[str, float] = {}
        """Figures before the first step; empty where they weren't kept."""
        self.best: float | None = None
        """The best figure so far of the one that :class:`~.loop.BestWeights` names; ``None`` where none is."""

    def state(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "validation": self.validation,
            "start": self.start,
            "best": self.best,
            "objective": self.objective.state_dict(),
            "average": self.average.averages,
            "optimizer": self.generator.optimizer.state_dict(),
            "scaler": self.generator.scaler.state_dict(),
        }
        if self.adversary is not None and self.discriminator is not None:
            state |= {
                "adversary": self.adversary.state_dict(),
                "adversary_optimizer": self.discriminator.optimizer.state_dict(),
                "adversary_scaler": self.discriminator.scaler.state_dict(),
            }
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.step = state["step"]
        self.seconds = state["seconds"]
        self.validation = dict(state["validation"])
        self.start = dict(state.get("start", {}))
        self.best = state.get("best")
        self.objective.load_state_dict(state["objective"])
        self.average.load(state["average"])
        self.generator.optimizer.load_state_dict(state["optimizer"])
        self.generator.scaler.load_state_dict(state.get("scaler", {}))
        if self.adversary is not None and self.discriminator is not None:
            self.adversary.load_state_dict(state["adversary"])
            self.discriminator.optimizer.load_state_dict(state["adversary_optimizer"])
            self.discriminator.scaler.load_state_dict(state.get("adversary_scaler", {}))

    def take_step(self, batches: Sequence[Tensor]) -> dict[str, float]:
        """One optimizer step on the gradients of some batches together; the figures to log.

        Losses are those of all batches and processes, with equal weights.

        Raises:
            TrainingError: if a loss isn't finite; then no weight has moved.
        """
        plan = self.recipe.optimization
        torch.manual_seed(_step_seed(plan.seed, self.step, self.fabric.global_rank))
        self.terms.step = self.step
        self.generator.forget()
        if self.discriminator is not None:
            self.discriminator.forget()
        totals: dict[str, Tensor] = {}
        for index, batch in enumerate(batches):
            is_last = index == len(batches) - 1
            with self.fabric.no_backward_sync(self._wrapped) if not is_last else nullcontext():
                figures = self._add_gradients(batch, 1 / len(batches))
            for name, value in figures.items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value / len(batches)
        names = list(totals)
        values = mean_over_processes(torch.stack([totals[name] for name in names])).tolist()
        figures = dict(zip(names, values, strict=True))
        self._require_finite(figures)
        rate = learning_rate(plan, self.step)
        figures |= {"learning_rate": rate} | self.generator.step(rate)
        self.objective.after_step(self.step)
        if "discriminator" in figures:
            figures |= self._move_discriminator()
        self.average.update(self.step)
        self.step += 1
        return figures

    def _add_gradients(self, batch: Tensor, share: float) -> dict[str, Tensor]:
        """Add the gradients of a batch's losses times ``share``; the losses, float32 scalars without gradient."""
        losses = self._wrapped(batch.to(self.fabric.device), self.step)
        with sound_gradients(bfloat16_on_cpu=self._bfloat16_on_cpu):
            self.fabric.backward(self.generator.scaled(losses["total"] * share))
        figures = {**losses, **self.terms.values}
        if self.adversary is not None and self.discriminator is not None:
            with self.fabric.autocast():
                loss = self.adversary.discriminator_loss()
            if loss is not None:
                with sound_gradients(bfloat16_on_cpu=self._bfloat16_on_cpu):
                    self.discriminator.scaled(loss * share).backward()
                figures |= {"discriminator": loss, **self.adversary.values}
        return {name: value.detach().float() for name, value in figures.items()}

    def _require_finite(self, figures: Mapping[str, float]) -> None:
        """Refuse a step whose losses are no numbers, on all processes at once."""
        losses = [figures["total"], figures.get("discriminator", 0.0)]
        if not all(map(math.isfinite, losses)):
            values = ", ".join(f"{name} {value:g}" for name, value in figures.items())
            raise TrainingError(f"{self.recipe.name}: the loss of step {self.step} isn't finite ({values})")

    def _move_discriminator(self) -> dict[str, float]:
        assert self.discriminator is not None
        if self.fabric.world_size > 1:
            for parameter in self.discriminator.parameters:
                if parameter.grad is not None:
                    parameter.grad = sum_over_processes(parameter.grad) / self.fabric.world_size
        moved = self.discriminator.step(self.recipe.terms.discriminator_learning_rate)
        return {f"discriminator_{name}": value for name, value in moved.items()}

    @torch.no_grad()
    def validate(self, validate: Validate) -> None:
        """Measure the averaged weights, in the first process alone; all have the figures afterwards."""
        figures: dict[str, float] = {}
        if self.fabric.is_global_zero:
            # What validation draws must not reach the next step.
            with torch.random.fork_rng(devices=[]), self.average.applied():
                figures = {name: float(value) for name, value in validate(self.step).items()}
        self.validation = self.fabric.broadcast(figures)


def _step_seed(seed: int, step: int, process: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}/{process}".encode()).digest()[:8], "big") >> 1
