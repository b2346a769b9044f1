from __future__ import annotations

from pathlib import Path

import pytest
import torch
from quantizer_processes import entropy_gradient, run_rank, updated_codebook
from torch.multiprocessing.spawn import spawn

WORLD_SIZE = 2


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(16, 3, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def ranks(features: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, torch.Tensor]]:
    """What each process of a group computes on its half of the features."""
    folder: Path = tmp_path_factory.mktemp("gloo")
    torch.save(features, folder / "features.pt")
    spawn(run_rank, args=(WORLD_SIZE, folder), nprocs=WORLD_SIZE)
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(WORLD_SIZE)]


@pytest.mark.slow
def test_the_mean_of_the_gradients_is_the_gradient_of_the_whole_batch(features, ranks):
    mean = sum(result["gradient"] for result in ranks) / WORLD_SIZE
    torch.testing.assert_close(mean, entropy_gradient(torch.ones(3), features))


@pytest.mark.slow
def test_moving_averages_are_those_of_the_whole_batch(features, ranks):
    expected = updated_codebook(features.T.reshape(1, -1, len(features), 1, 1), 0.0)
    for result in ranks:
        torch.testing.assert_close(result["ema"], expected)


@pytest.mark.slow
def test_revived_codes_are_the_same_everywhere(ranks):
    assert torch.equal(ranks[0]["revived"], ranks[1]["revived"])
    assert not torch.equal(ranks[0]["revived"], ranks[0]["ema"])
