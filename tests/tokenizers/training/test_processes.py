"""Two processes against one that sees the batches of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import spawn
from training_processes import WORLD_SIZE, figures_of, train_in_process, trainings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made."""
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")
    folder = tmp_path_factory.mktemp("gloo")
    spawn(train_in_process, args=(folder,), nprocs=WORLD_SIZE)
    return folder


EXACT = {"l1", "perceptual", "square", "regularization"}
"""Reconstruction and regularization; the rest is divided by small norms or follows from it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fsq", "kl", "vq"])
def test_two_processes_train_as_one_on_the_joined_batch(name: str, folder: Path, tmp_path: Path) -> None:
    expected, single = figures_of(replace(trainings(tmp_path)[name], joined="processes"))
    (found, first), (others, second) = (torch.load(folder / f"{name}-{rank}.pt") for rank in range(WORLD_SIZE))
    assert found == others
    assert len(found) == len(expected) == 2
    assert {*EXACT, "adversarial", "adaptive_weight", "discriminator", "lecam"} <= found[0].keys()
    for ours, theirs in zip(found, expected, strict=True):
        for figure, value in theirs.items():
            tolerance = 1e-5 if figure in EXACT else 1e-4
            assert ours[figure] == pytest.approx(value, rel=tolerance), figure
    for key, value in single.items():
        assert torch.equal(first[key], second[key]), key
        torch.testing.assert_close(first[key], value, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_two_processes_resume_with_more_steps_as_if_never_ended(folder: Path) -> None:
    states = [torch.load(folder / name / "training.pt", weights_only=True)["state"] for name in ("fsq", "resumed")]
    for part in ("objective", "average", "adversary"):
        for key, value in states[0][part].items():
            assert torch.equal(states[1][part][key], value), (part, key)
