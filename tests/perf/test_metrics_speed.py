"""SSIM beside scikit-image and LPIPS beside its package, in turn in one process, on a window of 17×256×256."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from lpips_backbones import random_backbone
from metric_windows import make_batch, make_metric, random_video
from skimage.metrics import structural_similarity
from toklab.bench.metrics.lpips import build_lpips, lpips_distance
from toklab.bench.metrics.ssim import gaussian_ssim
from torch import Tensor
from torch.nn import functional as F

FRAMES = 17
SHAPE = (1, 3, FRAMES, 256, 256)
THREADS = (1, 2)
Measure = Callable[[Tensor, Tensor], list[float]]


@pytest.fixture(params=THREADS, ids=lambda number: f"{number}-threads")
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set for the test, and put back after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _videos() -> tuple[Tensor, Tensor]:
    x = F.avg_pool3d(random_video(0, SHAPE), (1, 3, 3), stride=1, padding=(0, 1, 1))
    return x, (x + 0.1 * random_video(1, SHAPE)).clamp(-1, 1)


def _scikit_image(x: Tensor, y: Tensor) -> list[float]:
    values = []
    for frame in range(x.shape[2]):
        full = structural_similarity(
            ((x[0, :, frame].double() + 1) / 2).numpy(),
            ((y[0, :, frame].double() + 1) / 2).numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        values.append(float(full[:, 5:-5, 5:-5].mean()))
    return values


def _in_turn(one: Measure, other: Measure, rounds: int) -> tuple[list[float], list[float], float]:
    """Seconds of both, and the greatest difference between their values."""
    x, y = _videos()
    # The first pass of each warms up.
    gap = float(np.abs(np.subtract(one(x, y), other(x, y))).max())
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for measure, spent in zip((one, other), seconds, strict=True):
            start = time.perf_counter()
            measure(x, y)
            spent.append(time.perf_counter() - start)
    return *seconds, gap


def _tell(
    benchmark, say: Callable[[str], None], what: str, num_threads: int, found: tuple[list[float], list[float], float]
) -> None:
    ours, theirs, gap = found
    ratio = statistics.median(theirs) / statistics.median(ours)
    benchmark.extra_info |= {"times_as_fast": round(ratio, 2), "ours": ours, "theirs": theirs, "largest_gap": gap}
    say(
        f"{what}, {num_threads} threads: {ratio:.2f} times as fast; medians "
        f"{statistics.median(ours):.3f} s and {statistics.median(theirs):.3f} s; values within {gap:.0e}"
    )


def test_gaussian_ssim_beside_scikit_image(benchmark, num_threads: int, say: Callable[[str], None]) -> None:
    def ours(x: Tensor, y: Tensor) -> list[float]:
        return gaussian_ssim(x, y)[0].tolist()

    found = benchmark.pedantic(lambda: _in_turn(ours, _scikit_image, rounds=5), rounds=1, iterations=1)
    _tell(benchmark, say, "SSIM beside scikit-image", num_threads, found)
    assert found[-1] < 1e-6


def test_lpips_vgg_beside_its_package(benchmark, num_threads: int, say: Callable[[str], None]) -> None:
    model = build_lpips("vgg", random_backbone("vgg"))

    def ours(x: Tensor, y: Tensor) -> list[float]:
        return lpips_distance(model, x, y)[0].tolist()

    @torch.no_grad()
    def package(x: Tensor, y: Tensor) -> list[float]:
        return model(x[0].transpose(0, 1), y[0].transpose(0, 1)).flatten().tolist()

    found = benchmark.pedantic(lambda: _in_turn(ours, package, rounds=2), rounds=1, iterations=1)
    _tell(benchmark, say, "LPIPS-VGG beside the lpips package", num_threads, found)
    assert found[-1] < 1e-4


def test_psnr_and_flicker_together(benchmark, num_threads: int) -> None:
    x, y = _videos()
    psnr, flicker = make_metric("psnr"), make_metric("flicker")

    def measure() -> None:
        batch = make_batch(x, y)
        psnr.measure(batch)
        flicker.measure(batch)

    benchmark.pedantic(measure, rounds=5, iterations=1, warmup_rounds=1)
