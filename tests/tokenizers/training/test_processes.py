"""Two processes against one that sees the batches of both."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import spawn
from training_processes import WORLD_SIZE, train_in_process, trainings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made."""
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")
    folder = tmp_path_factory.mktemp("gloo")
    spawn(train_in_process, args=(folder,), nprocs=WORLD_SIZE)
    return folder


def figures(folder: Path) -> list[dict[str, float]]:
    with (folder / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fsq", "kl", "vq"])
def test_two_processes_train_as_one_on_the_joined_batch(name: str, folder: Path, tmp_path: Path) -> None:
    single = replace(trainings(tmp_path)[name], joined="processes")
    result = single.run()
    expected, found = figures(single.folder), figures(folder / name)
    assert len(found) == 3
    assert {"l1", "regularization", "adversarial", "adaptive_weight", "discriminator", "lecam"} <= found[0].keys()
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)
    weights = [torch.load(folder / f"{name}-{rank}.pt") for rank in range(WORLD_SIZE)]
    for key, value in result.weights.items():
        assert torch.equal(weights[0][key], weights[1][key]), key
        torch.testing.assert_close(weights[0][key], value, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_two_processes_resume_with_more_steps_as_if_never_ended(folder: Path) -> None:
    states = [torch.load(folder / name / "training.pt", weights_only=True)["state"] for name in ("fsq", "resumed")]
    for part in ("objective", "average", "adversary"):
        for key, value in states[0][part].items():
            assert torch.equal(states[1][part][key], value), (part, key)
