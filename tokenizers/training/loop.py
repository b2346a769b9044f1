"""The training loop: batches in, gradients, averaged weights; validation, checkpoints and logs on the way.

Everything random in a step (clips, posterior noise, dropout) follows from the recipe's seed, the step and the process
alone, so a training that was killed and resumed ends with the weights of one that wasn't.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from .checkpoint import load_checkpoint, save_checkpoint
from .errors import TrainingError
from .fabric import launch_fabric
from .log import TrainingLog
from .losses import ReconstructionTerms
from .objective import Objective
from .pace import Pace
from .recipe import Recipe
from .state import TrainingState, Validate

ClipSource = Callable[[int, int], Tensor]
"""(batch, process) to clips (B, 3, T, H, W) float32 in [-1, 1]; equal arguments give equal clips.

Step n of a recipe that accumulates k batches takes the batches n · k to n · k + k − 1.
"""


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
    data_seconds: float = 0.0
    """Mean wait for the clips of a recent step."""
    step_seconds: float = 0.0
    """Mean duration of a recent step without that wait."""
    num_timed: int = 0
    """Steps that these means are over, at most :data:`~.pace.RECENT_STEPS`."""


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


@dataclass(frozen=True)
class BestWeights:
    """Which weights of a training are the best, and what becomes of them."""

    figure: str
    """A figure of the validation."""
    is_higher_better: bool
    keep: Callable[[TrainingResult], None]
    """Called in the first process after every validation that is better than all before, with its weights."""


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
    best: BestWeights | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train an objective's model.

    Args:
        recipe: its ``optimization`` and ``terms`` are read here.
        objective: built with ``terms`` as its perceptual loss.
        terms: the same terms; the one named ``adversarial`` is an :class:`Adversary`.
        clips: batches by number.
        validate: called without gradients, in the first process alone, while the model has its averaged weights.
        folder: made if need be; gets ``training.pt``, ``training.csv`` and ``validation.csv``.
        resume: go on from the checkpoint in ``folder``, if there is one. Without it, a checkpoint there is refused.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        tensorboard: whether TensorBoard's events are written too.
        best: what becomes of the best weights; ``None``: none are chosen.
        on_progress: called after every step.

    Raises:
        TrainingError: if Lightning Fabric isn't installed, the checkpoint doesn't fit, or the loss isn't finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fabric = launch_fabric(device, recipe.optimization.precision)
    with ThreadPoolExecutor(1) as executor:
        training = TrainingState(recipe, objective, terms, fabric)
        state = load_checkpoint(folder, recipe)
        if state is not None and not resume:
            raise TrainingError(f"{folder} holds a training; give --resume to go on with it, or another folder")
        if state is not None:
            training.load(state)
        # Without a checkpoint, the validation before the first step is done again, too.
        resume_after = -1 if state is None else training.step
        # The other processes log nothing.
        has_events = tensorboard and fabric.is_global_zero
        logs = [TrainingLog(folder, name, resume_after, tensorboard=has_events) for name in ("training", "validation")]
        plan = recipe.optimization
        number = plan.accumulated_batches
        numbers = range(training.step * number, plan.steps * number)
        batches = _prefetched(clips, numbers, fabric.global_rank, executor)
        run = _Run(training, validate, best, folder, logs)
        try:
            run.go(zip(*[batches] * number, strict=True), on_progress)
        finally:
            for log in logs:
                log.close()
    return _result(training)


def _result(training: TrainingState) -> TrainingResult:
    weights = {name: value.detach().cpu().clone() for name, value in training.average.averages.items()}
    return TrainingResult(weights, training.step, training.seconds, training.validation, training.start)


@dataclass
class _Run:
    """The steps of a training, and what is written on the way."""

    training: TrainingState
    validate: Validate
    best: BestWeights | None
    folder: Path
    logs: list[TrainingLog]

    def go(self, steps: Iterator[tuple[Tensor, ...]], on_progress: Callable[[Progress], None] | None) -> None:
        training, plan = self.training, self.training.recipe.optimization
        is_first_process = training.fabric.is_global_zero
        if training.step == 0:
            self._validate()
            training.start = dict(training.validation)
        if training.step == plan.steps and not training.validation:
            self._validate()
        pace = Pace()
        for batches in pace.waited(steps):
            started = time.perf_counter()
            with pace.step():
                figures = training.take_step(batches)
            training.seconds += time.perf_counter() - started
            step, is_last = training.step, training.step == plan.steps
            if is_first_process and (step % plan.log_every == 0 or is_last):
                times = {"data_seconds": pace.data_seconds, "step_seconds": pace.step_seconds}
                self.logs[0].add(step, {"seconds": training.seconds} | figures | times)
            if step % plan.validate_every == 0 or is_last:
                self._validate()
            if is_first_process and (step % plan.checkpoint_every == 0 or is_last):
                save_checkpoint(self.folder, training.recipe, training.state())
            if on_progress is not None and is_first_process:
                times = (pace.data_seconds, pace.step_seconds, pace.num_steps)
                on_progress(Progress(step, plan.steps, training.seconds, figures["total"], training.validation, *times))

    def _validate(self) -> None:
        training = self.training
        training.validate(self.validate)
        if not training.fabric.is_global_zero:
            return
        self.logs[1].add(training.step, {"seconds": training.seconds} | dict(training.validation))
        if self.best is None:
            return
        value = training.validation[self.best.figure]
        if math.isnan(value):
            return
        sign = 1 if self.best.is_higher_better else -1
        if training.best is None or sign * value > sign * training.best:
            training.best = value
            self.best.keep(_result(training))


def _prefetched(clips: ClipSource, numbers: range, process: int, executor: ThreadPoolExecutor) -> Iterator[Tensor]:
    """The batches of these numbers; the next one is made while a step runs."""
    if not numbers:
        return
    waiting = executor.submit(clips, numbers[0], process)
    for number in numbers:
        batch = waiting.result()
        if number + 1 in numbers:
            waiting = executor.submit(clips, number + 1, process)
        yield batch
