"""Trainings that tests run in several processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from tiny_trainings import TinyTraining
from toklab.tokenizers.training.state import TrainingState
from torch import Tensor, distributed

WORLD_SIZE = 2
PLAN = {"steps": 2, "learning_rate": 1e-5}


def trainings(folder: Path) -> dict[str, TinyTraining]:
    """Trainings without noise, by name: one process sees the same as two if their batches are joined."""
    return {
        "fsq": TinyTraining(folder / "fsq", "vidtok-fsq", PLAN, {"reconstruction": "likelihood"}),
        "kl": TinyTraining(folder / "kl", "vidtok-kl", PLAN, {"regularization_weight": 1e3}, quiet_posterior=True),
        "vq": TinyTraining(folder / "vq", "vidtok-vq-ema", PLAN, adversary={"discriminator": "patch-3d"}),
    }


def figures_of(training: TinyTraining) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """The figures of every step, unrounded, and the weights."""
    figures: list[dict[str, float]] = []
    take_step = TrainingState.take_step

    def noted(self: TrainingState, batches: Sequence[Tensor]) -> dict[str, float]:
        figures.append(take_step(self, batches))
        return figures[-1]

    with mock.patch.object(TrainingState, "take_step", noted):
        return figures, training.run().weights


def train_in_process(rank: int, folder: Path) -> None:
    """One process of a gloo group, as ``torchrun`` would start it: trains all, one of them resumed with more steps."""
    torch.set_num_threads(1)
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "LOCAL_WORLD_SIZE": str(WORLD_SIZE)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(WORLD_SIZE)}
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD_SIZE)
    for name, training in trainings(folder).items():
        torch.save(figures_of(training), folder / f"{name}-{rank}.pt")
    first = trainings(folder)["fsq"]
    first = replace(first, folder=folder / "resumed", optimization={**PLAN, "steps": 1})
    first.run()
    # The first process writes the checkpoint.
    distributed.barrier()
    replace(first, optimization=PLAN).run(resume=True)
    distributed.barrier()
    distributed.destroy_process_group()
    # gloo's threads may still run while Python shuts down, and C++ aborts the process then.
    os._exit(0)
