"""VMAF beside libvmaf run on files, and what it must say of identical and of noisy clips."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio_ffmpeg import get_ffmpeg_exe
from metric_windows import estimate, make_batch, make_metric
from toklab.bench.metrics import vmaf
from toklab.bench.metrics.interface import MeasuredWindow, MetricError
from toklab.bench.metrics.vmaf import Vmaf, frame_vmaf
from toklab.tokenizers.baselines.ffmpeg import FfmpegError, has_filter
from torch import Tensor
from torch.nn import functional as F

pytestmark = pytest.mark.skipif(not has_filter("libvmaf"), reason="this ffmpeg was built without libvmaf")


@pytest.fixture
def clip() -> Tensor:
    """(3, 6, 64, 96): a smooth random picture that pans."""
    generator = torch.Generator().manual_seed(0)
    picture = F.interpolate(torch.rand(1, 3, 24, 32, generator=generator) * 2 - 1, size=(96, 128), mode="bicubic")
    return torch.stack([picture[0, :, t : t + 64, 2 * t : 2 * t + 96].clamp(-1, 1) for t in range(6)], dim=1)


def noisy(clip: Tensor, deviation: float) -> Tensor:
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(1))
    return (clip + deviation * noise).clamp(-1, 1)


def run(*arguments: str | Path, data: bytes = b"") -> None:
    subprocess.run([get_ffmpeg_exe(), "-v", "error", *arguments], input=data, check=True)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_scores_are_those_of_libvmaf_on_lossless_files(clip: Tensor, tmp_path: Path, pixel_format: str) -> None:
    clips = {"reference": clip, "reconstruction": noisy(clip, 0.1)}
    for name, video in clips.items():
        pixels = video.add(1).mul(127.5).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()
        conversion = (
            f"scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format={pixel_format}"
        )
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-i", "-"]
        run(*source, "-vf", conversion, "-c:v", "ffv1", tmp_path / f"{name}.mkv", data=pixels.tobytes())
    inputs = ["-i", tmp_path / "reconstruction.mkv", "-i", tmp_path / "reference.mkv"]
    log = tmp_path / "log.json"
    run(*inputs, "-lavfi", f"libvmaf=log_fmt=json:log_path={log}", "-f", "null", "-")
    expected = [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]
    np.testing.assert_allclose(frame_vmaf(*clips.values()), expected, atol=1e-5)


@pytest.mark.slow
def test_identical_clips_score_at_the_top_and_noise_takes_away(clip: Tensor) -> None:
    identical = frame_vmaf(clip, clip)
    assert ((identical > 97.4) & (identical <= 100)).all()
    means = [float(frame_vmaf(clip, noisy(clip, deviation)).mean()) for deviation in (0, 0.05, 0.1, 0.2, 0.4)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0] - 10


def test_every_clip_of_a_batch_is_scored_on_its_own(clip: Tensor) -> None:
    metric = Vmaf()
    reference = torch.stack((clip, clip.flip(3)))
    reconstruction = torch.stack((noisy(clip, 0.2), clip.flip(3)))
    arrays = metric.measure(make_batch(reference, reconstruction))
    np.testing.assert_array_equal(arrays[0]["vmaf"], frame_vmaf(clip, noisy(clip, 0.2)))
    assert arrays[1]["vmaf"].mean() > arrays[0]["vmaf"].mean()
    outcome = estimate(metric, [MeasuredWindow("a", index, 6, window) for index, window in enumerate(arrays)])
    assert outcome.value == pytest.approx(np.mean([window["vmaf"] for window in arrays]))
    assert (outcome.count, outcome.counted) == (12, "frames")


@pytest.mark.parametrize("shape", [(3, 1, 32, 32), (3, 3, 33, 47)])
def test_single_frames_and_odd_sizes(shape: tuple[int, ...]) -> None:
    video = torch.rand(shape) * 2 - 1
    assert len(frame_vmaf(video, video)) == shape[1]


def test_frames_too_small_are_refused(clip: Tensor) -> None:
    with pytest.raises(MetricError, match="smaller than the 32 pixels"):
        frame_vmaf(clip[:, :, :31], clip[:, :, :31])


def test_an_ffmpeg_without_libvmaf_has_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_metric("vmaf").unavailable() is None
    monkeypatch.setattr("toklab.bench.metrics.vmaf.has_filter", lambda name: False)
    missing = make_metric("vmaf").unavailable()
    assert missing is not None
    assert "without libvmaf" in missing.reason
    assert "IMAGEIO_FFMPEG_EXE" in missing.hint


def test_an_ffmpeg_that_cannot_be_asked_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> bool:
        raise FfmpegError(f"ffmpeg can't list {name}")

    monkeypatch.setattr(vmaf, "has_filter", fails)
    unavailable = make_metric("vmaf").unavailable()
    assert unavailable is not None
    assert unavailable.reason == "ffmpeg can't list libvmaf"
