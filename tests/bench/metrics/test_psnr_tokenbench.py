from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from skimage.metrics import structural_similarity
from toklab.bench.metrics.psnr import frame_mse
from toklab.bench.metrics.psnr_tokenbench import tokenbench_decibels


def overflowing_mse(reference: np.ndarray, reconstruction: np.ndarray) -> float:
    """What TokenBench's script took for the mean squared error before the fix: uint8 wraps, and so do its squares."""
    return float(np.square(reference - reconstruction).mean(dtype=np.float64))


@pytest.mark.goldens
def test_equals_the_official_script_after_and_before_its_fix(shared: Path) -> None:
    folder = shared / "goldens" / "metrics_2"
    clips = load_file(folder / "tokenbench_clips.safetensors")
    for case in json.loads((folder / "tokenbench.json").read_text())["cases"]:
        pair = [clips[f"{case['name']}.{side}"] for side in ("gt", "rec")]
        videos = [clip.permute(3, 0, 1, 2).unsqueeze(0).float() / 127.5 - 1 for clip in pair]
        mse = frame_mse(*videos).numpy().mean() * 255**2
        assert mse == pytest.approx(case["mse_exact"], abs=1e-3)
        # Its sums are float32.
        assert tokenbench_decibels(mse).item() == pytest.approx(case["psnr_fixed"], abs=3e-4)
        overflowing = overflowing_mse(*(clip.numpy() for clip in pair))
        assert overflowing == pytest.approx(case["mse_mod_256"], abs=1e-9)
        assert tokenbench_decibels(np.array(overflowing)).item() == pytest.approx(case["psnr_before_pr3"], abs=1e-9)
        frames = zip(*(clip.numpy() for clip in pair), strict=True)
        similarity = np.mean([structural_similarity(*both, data_range=255, channel_axis=2) for both in frames])
        assert similarity == pytest.approx(case["ssim_fixed"], abs=2e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 255))
def test_the_overflow_never_made_a_figure_smaller(seed: int, reach: int) -> None:
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 256, 50, dtype=np.uint8)
    errors = generator.integers(-reach, reach + 1, 50)
    reconstruction = np.clip(reference.astype(int) + errors, 0, 255).astype(np.uint8)
    right = np.square(reference.astype(float) - reconstruction).mean()
    overflowing = overflowing_mse(reference, reconstruction)
    assert overflowing <= right + 1e-9
    if reach <= 15:
        assert overflowing == pytest.approx(right)


def test_identical_clips() -> None:
    assert tokenbench_decibels(np.zeros(1)).item() == pytest.approx(186.6046, abs=1e-3)
