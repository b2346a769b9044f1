"""The training loop: batches in, gradients, averaged weights; validation, checkpoints and logs on the way.

Everything random in a step (clips, posterior noise, dropout) follows from the recipe's seed, the step and the process
alone, so a training that was killed and resumed ends with the weights of one that wasn't.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .adversary import Adversary
from .checkpoint import load_checkpoint, save_checkpoint
from .ema import WeightAverage
from .errors import TrainingError
from .log import TrainingLog
from .losses import ReconstructionTerms
from .objective import Objective
from .recipe import Optimization, Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ClipSource = Callable[[int, int], Tensor]
"""(step, process) to clips (B, 3, T, H, W) float32 in [-1, 1]; equal arguments give equal clips."""

Validate = Callable[[], Mapping[str, float]]
"""Measures the model as it is at the moment; figures by name, such as ``psnr``."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands, for whoever shows it."""

    step: int
    """Optimizer steps done."""
    steps: int
    """Optimizer steps in all."""
    seconds: float
    """Spent so far, those before a resume included."""
    loss: float
    """``total`` of the last step."""
    validation: Mapping[str, float]
    """The last validation's figures; empty before the first."""


@dataclass(frozen=True)
class TrainingResult:
    """What came out."""

    weights: dict[str, Tensor]
    """Averaged state dict of the model, on the CPU."""
    steps: int
    seconds: float
    validation: Mapping[str, float]
    """Figures of these weights."""
    start: Mapping[str, float]
    """Figures of the weights before the first step; empty where they weren't kept."""


def train(
    recipe: Recipe,
    objective: Objective,
    terms: ReconstructionTerms,
    clips: ClipSource,
    validate: Validate,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train an objective's model.

    Args:
        recipe: its ``optimization`` and ``terms`` are read here.
        objective: built with ``terms`` as its perceptual loss.
        terms: the same terms; the one named ``adversarial`` is an :class:`Adversary`.
        clips: batches by step.
        validate: called without gradients while the model has its averaged weights.
        folder: made if need be; gets ``training.pt``, ``training.csv`` and ``validation.csv``.
        resume: go on from the checkpoint in ``folder``, if there is one. Without it, a checkpoint there is refused.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        tensorboard: whether TensorBoard's events are written too.
        on_progress: called after every step.

    Raises:
        TrainingError: if Lightning Fabric isn't installed, the checkpoint doesn't fit, or the loss isn't finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fabric = _fabric(device, recipe.optimization.precision)
    with ThreadPoolExecutor(1) as executor:
        training = _Training(recipe, objective, terms, fabric)
        state = load_checkpoint(folder, recipe.identity)
        if state is not None and not resume:
            raise TrainingError(f"{folder} holds a training; give --resume to go on with it, or another folder")
        if state is not None:
            training.load(state)
        resumed_at = training.step
        logs = [TrainingLog(folder, name, resumed_at, tensorboard=tensorboard) for name in ("training", "validation")]
        batches = _prefetched(clips, range(training.step, recipe.optimization.steps), fabric.global_rank, executor)
        try:
            _run(training, batches, validate, folder, logs, on_progress)
        finally:
            for log in logs:
                log.close()
    weights = {name: value.detach().cpu().clone() for name, value in training.average.averages.items()}
    return TrainingResult(weights, training.step, training.seconds, training.validation, training.start)


def _run(
    training: _Training,
    batches: Iterator[Tensor],
    validate: Validate,
    folder: Path,
    logs: list[TrainingLog],
    on_progress: Callable[[Progress], None] | None,
) -> None:
    plan = training.recipe.optimization
    is_first_process = training.fabric.is_global_zero
    if training.step == 0:
        training.validate(validate)
        training.start = dict(training.validation)
        if is_first_process:
            logs[1].add(0, {"seconds": 0.0} | training.start)
    if training.step == plan.steps and not training.validation:
        training.validate(validate)
    for batch in batches:
        started = time.perf_counter()
        figures = training.take_step(batch)
        training.seconds += time.perf_counter() - started
        step, is_last = training.step, training.step == plan.steps
        if is_first_process and (step % plan.log_every == 0 or is_last):
            logs[0].add(step, {"seconds": training.seconds} | figures)
        if step % plan.validate_every == 0 or is_last:
            training.validate(validate)
            if is_first_process:
                logs[1].add(step, {"seconds": training.seconds} | dict(training.validation))
        if is_first_process and (step % plan.checkpoint_every == 0 or is_last):
            save_checkpoint(folder, training.recipe.identity, training.state())
        if on_progress is not None and is_first_process:
            on_progress(Progress(step, plan.steps, training.seconds, figures["total"], training.validation))


class _Training:
    """What changes from step to step."""

    def __init__(self, recipe: Recipe, objective: Objective, terms: ReconstructionTerms, fabric: Fabric):
        plan = recipe.optimization
        self.recipe = recipe
        self.fabric = fabric
        self.terms = terms.to(fabric.device)
        self.objective = objective.train()
        self.parameters = list(objective.trained_parameters())
        if not self.parameters:
            raise TrainingError(f"{recipe.name}: {recipe.objective} trains no parameter")
        self.optimizer = _optimizer(self.parameters, plan, plan.learning_rate, plan.full_rate_fan_in)
        self._wrapped, self._wrapped_optimizer = fabric.setup(objective, self.optimizer)
        self.adversary: Adversary | None = None
        self.adversary_optimizer: torch.optim.Optimizer | None = None
        if "adversarial" in terms.terms:
            adversary = terms.terms["adversarial"].loss
            assert isinstance(adversary, Adversary)
            self.adversary = adversary
            self.adversary_optimizer = _optimizer(
                list(adversary.parameters()), plan, recipe.terms.discriminator_learning_rate
            )
        self.average = WeightAverage(objective.model, plan.ema_decay)
        self.step = 0
        self.seconds = 0.0
        self.validation: dict[str, float] = {}
        self.start: dict[str, float] = {}

    def state(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "validation": self.validation,
            "start": self.start,
            "objective": self.objective.state_dict(),
            "average": self.average.averages,
            "optimizer": self.optimizer.state_dict(),
            "adversary": self.adversary.state_dict() if self.adversary else None,
            "adversary_optimizer": self.adversary_optimizer.state_dict() if self.adversary_optimizer else None,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.step = state["step"]
        self.seconds = state["seconds"]
        self.validation = dict(state["validation"])
        self.start = dict(state.get("start", {}))
        self.objective.load_state_dict(state["objective"])
        self.average.load(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.adversary and self.adversary_optimizer:
            self.adversary.load_state_dict(state["adversary"])
            self.adversary_optimizer.load_state_dict(state["adversary_optimizer"])

    def take_step(self, batch: Tensor) -> dict[str, float]:
        """One optimizer step; the figures to log."""
        plan = self.recipe.optimization
        torch.manual_seed(_step_seed(plan.seed, self.step, self.fabric.global_rank))
        rate = learning_rate(plan, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.terms.step = self.step
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._wrapped(batch.to(self.fabric.device), self.step)
        if not torch.isfinite(losses["total"]):
            values = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
            raise TrainingError(f"{self.recipe.name}: the loss of step {self.step} isn't finite ({values})")
        self.fabric.backward(losses["total"])
        norm = nn.utils.clip_grad_norm_(self.parameters, plan.clip_norm)
        self._wrapped_optimizer.step()
        self.objective.after_step(self.step)
        figures = {name: value.item() for name, value in losses.items()}
        figures |= {name: float(value) for name, value in self.terms.values.items()}
        figures |= {"learning_rate": rate, "gradient_norm": float(norm)} | self._discriminator_step()
        self.average.update(self.step)
        self.step += 1
        return figures

    def _discriminator_step(self) -> dict[str, float]:
        if self.adversary is None or self.adversary_optimizer is None:
            return {}
        self.adversary_optimizer.zero_grad(set_to_none=True)
        with self.fabric.autocast():
            loss = self.adversary.discriminator_loss()
        if loss is None:
            return {}
        loss.backward()
        if self.fabric.world_size > 1:
            for parameter in self.adversary.parameters():
                assert parameter.grad is not None
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.fabric.world_size
        self.adversary_optimizer.step()
        return {"discriminator": loss.item()}

    @torch.no_grad()
    def validate(self, validate: Validate) -> None:
        """Measure the averaged weights."""
        # What validation draws must not reach the next step.
        with torch.random.fork_rng(devices=[]), self.average.applied():
            self.validation = {name: float(value) for name, value in validate().items()}


def learning_rate(plan: Optimization, step: int) -> float:
    """The rate of optimizer step ``step``, from 0: linear warm-up, then the half cosine or a constant."""
    warmup = min(1.0, (step + 1) / plan.warmup_steps) if plan.warmup_steps else 1.0
    if plan.schedule == "constant":
        return plan.learning_rate * warmup
    span = plan.learning_rate - plan.final_learning_rate
    return warmup * (plan.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))


def _optimizer(
    parameters: list[nn.Parameter], plan: Optimization, rate: float, full_rate_fan_in: int = 0
) -> torch.optim.Optimizer:
    """The plan's optimizer; each group's ``share`` of the learning rate follows from ``full_rate_fan_in``."""
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[plan.optimizer]
    beta1, beta2 = plan.betas
    by_share: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        share = min(1.0, full_rate_fan_in / fan_in) if full_rate_fan_in else 1.0
        by_share.setdefault(share, []).append(parameter)
    groups = [{"params": group, "share": share, "lr": rate * share} for share, group in by_share.items()]
    return kind(groups, lr=rate, betas=(beta1, beta2), weight_decay=plan.weight_decay)


def _step_seed(seed: int, step: int, process: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}/{process}".encode()).digest()[:8], "big") >> 1


def _prefetched(clips: ClipSource, steps: range, process: int, executor: ThreadPoolExecutor) -> Iterator[Tensor]:
    """The batch of each step; the next one is made while a step runs."""
    if not steps:
        return
    waiting = executor.submit(clips, steps[0], process)
    for step in steps:
        batch = waiting.result()
        if step + 1 in steps:
            waiting = executor.submit(clips, step + 1, process)
        yield batch


def _fabric(device: str, precision: Any) -> Fabric:
    """Lightning Fabric on one device, or on those that ``torchrun`` started processes for."""
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError("training needs Lightning Fabric: pip install 'toklab[train]'") from error
    kind, _, index = device.partition(":")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=kind,
        devices=[int(index)] if index else local,
        num_nodes=max(1, processes // local),
        strategy="ddp" if processes > 1 else "auto",
        precision=precision,
    )
    fabric.launch()
    return fabric
