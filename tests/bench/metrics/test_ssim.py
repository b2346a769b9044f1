"""SSIM against VidTok's figures and scikit-image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_windows import make_batch, make_metric, random_video
from safetensors.torch import load_file
from skimage.metrics import structural_similarity
from toklab.bench.metrics.interface import MetricError
from toklab.bench.metrics.ssim import gaussian_ssim, uniform_ssim
from torch import Tensor
from torch.nn import functional as F


@pytest.mark.goldens
def test_equals_vidtok(shared: Path) -> None:
    tensors = load_file(shared / "goldens/metrics/vidtok_psnr_ssim.safetensors")
    cases = json.loads((shared / "goldens/metrics/vidtok_psnr_ssim.json").read_text())["cases"]
    for case, stored in cases.items():
        x, y = tensors[f"{case}.x"], tensors[f"{case}.y"]
        if x.ndim == 4:
            x, y = x.unsqueeze(2), y.unsqueeze(2)
        if "ssim_error" in stored:
            with pytest.raises(MetricError, match="smaller than the 11×11 window"):
                gaussian_ssim(2 * x - 1, 2 * y - 1)
            continue
        ssim = gaussian_ssim(2 * x - 1, 2 * y - 1).flatten()
        np.testing.assert_allclose(ssim, tensors[f"{case}.ssim_per_frame"], atol=1e-5, err_msg=case)
        assert ssim.mean().item() == pytest.approx(stored["ssim_f64"], abs=1e-8), case


def _frames(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    x = F.avg_pool3d(random_video(3, shape), (1, 3, 3), stride=1, padding=(0, 1, 1))
    return x, (x + 0.2 * random_video(4, shape)).clamp(-1, 1)


def _unit(video: torch.Tensor, frame: int) -> np.ndarray:
    return ((video[0, :, frame].double() + 1) / 2).numpy()


@pytest.mark.parametrize("size", [(11, 11), (24, 37), (83, 61)])
def test_gaussian_equals_scikit_image(size: tuple[int, int]) -> None:
    x, y = _frames((1, 3, 2, *size))
    ssim = gaussian_ssim(x, y)
    for frame in range(2):
        full = structural_similarity(
            _unit(x, frame),
            _unit(y, frame),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1]
        assert ssim[0, frame].item() == pytest.approx(full[:, 5:-5, 5:-5].mean(), abs=1e-12)


@pytest.mark.parametrize("size", [(7, 7), (24, 37), (83, 61)])
def test_uniform_equals_scikit_image(size: tuple[int, int]) -> None:
    x, y = _frames((1, 3, 2, *size))
    ssim = uniform_ssim(x, y)
    for frame in range(2):
        expected = structural_similarity(_unit(x, frame), _unit(y, frame), channel_axis=0, data_range=1.0)
        assert ssim[0, frame].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("side", "factor"), [(383, 1), (384, 2), (640, 2), (641, 3)])
def test_pools_by_the_factor_of_the_short_side(side: int, factor: int) -> None:
    x, y = random_video(0, (1, 1, 1, side, side + 9)), random_video(1, (1, 1, 1, side, side + 9))
    pooled = [F.avg_pool2d(video[:, :, 0].double(), factor).unsqueeze(2) for video in (x, y)]
    # Pooled frames are at most 255 + 128 pixels high, so they aren't pooled again.
    assert gaussian_ssim(x, y).item() == pytest.approx(gaussian_ssim(pooled[0], pooled[1]).item(), abs=1e-12)


def test_without_pooling_large_frames_equal_scikit_image_at_their_own_size() -> None:
    x, y = _frames((1, 3, 1, 386, 400))
    (measured,) = make_metric("ssim-gauss11").measure(make_batch(x, y))
    full = structural_similarity(
        _unit(x, 0),
        _unit(y, 0),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    assert measured["ssim"][0] == pytest.approx(full[:, 5:-5, 5:-5].mean(), abs=1e-12)
    assert abs(measured["ssim"][0] - gaussian_ssim(x, y).item()) > 0.01
    small = x[..., :64, :64], y[..., :64, :64]
    assert gaussian_ssim(*small, pooled=False).item() == gaussian_ssim(*small).item()


@pytest.mark.parametrize("ssim", [gaussian_ssim, uniform_ssim])
def test_equal_frames_have_exactly_1(ssim: Callable[[Tensor, Tensor], Tensor]) -> None:
    video = random_video(0, (1, 3, 2, 50, 43))
    assert ssim(video, video.clone()).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("ssim", [gaussian_ssim, uniform_ssim])
def test_a_frame_has_one_value_whatever_is_measured_beside_it(ssim: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, y = random_video(0, (3, 3, 4, 61, 70)), random_video(1, (3, 3, 4, 61, 70))
    together = ssim(x, y)
    alone = [[ssim(x[b : b + 1, :, t : t + 1], y[b : b + 1, :, t : t + 1]).item() for t in range(4)] for b in range(3)]
    assert together.tolist() == alone


def test_small_frames_are_refused() -> None:
    video = random_video(0, (1, 3, 1, 6, 30))
    with pytest.raises(MetricError, match="6×30 pixels"):
        make_metric("ssim-skimage").measure(make_batch(video, video))
