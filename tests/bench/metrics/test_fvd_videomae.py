"""Content-debiased FVD from clips to its figure, through a tiny network of VideoMAE's kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from metric_windows import estimate, feature_window, make_batch, make_metric, random_video
from tiny_video_transformers import tiny_videomae
from toklab.bench.metrics.frechet import frechet_distance
from toklab.bench.metrics.fvd_videomae import VideoMaeFvd
from toklab.bench.metrics.interface import MeasuredWindow, MetricError
from toklab.bench.metrics.video_transformers import VIT_GIANT_14, VideoMae
from torch import nn
from torch.nn import functional as F


class Recorder(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given = torch.empty(0)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        self.given = video
        return video.mean(dim=(2, 3, 4))


def test_the_network_sees_squashed_clips_of_their_own_values() -> None:
    network = Recorder()
    ramp = torch.arange(30, dtype=torch.uint8).mul(8).expand(16, 3, 20, 30)
    video = (ramp.permute(1, 0, 2, 3)[None] / 127.5) - 1
    VideoMaeFvd(network).measure_reference(video)
    expected = F.interpolate(ramp / 255, (224, 224), mode="bilinear", align_corners=False, antialias=False)
    torch.testing.assert_close(network.given[0].transpose(0, 1), expected, atol=1e-6, rtol=0)
    assert 0 <= network.given.min() <= network.given.max() <= 1


@pytest.mark.slow
def test_from_clips_to_the_figure() -> None:
    network = tiny_videomae()
    metric = VideoMaeFvd(network)
    videos = [random_video(source, (1, 3, 16, 20, 24)) for source in range(5)]
    windows = [
        MeasuredWindow(
            f"v{n}", 0, 16, metric.measure(make_batch(video, video / 2))[0], metric.measure_reference(video)[0]
        )
        for n, video in enumerate(videos)
    ]
    with torch.no_grad():
        y, x = (np.concatenate([network(metric.prepared(v * scale)).numpy() for v in videos]) for scale in (1, 0.5))
    assert estimate(metric, windows).value == pytest.approx(frechet_distance(x, y, ddof=0), rel=1e-6)


def test_the_covariance_is_divided_by_n() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 9, 4))
    windows = [feature_window(f"v{n}", 0, *pair) for n, pair in enumerate(zip(x, y, strict=True))]
    outcome = estimate(make_metric("fvd-videomae-g-ssv2"), windows)
    assert outcome.value == pytest.approx(frechet_distance(x, y, ddof=0))
    assert outcome.value != pytest.approx(frechet_distance(x, y, ddof=1))
    assert "N = 9 ≤ 1,408: the covariance is singular" in outcome.note


@pytest.mark.slow
def test_the_published_network_gives_1408_numbers() -> None:
    with torch.device("meta"):
        network = VideoMae(VIT_GIANT_14)
        network.register_buffer("positions", torch.empty(1, VIT_GIANT_14.num_tokens, 1408), persistent=False)
        assert network(torch.empty(1, 3, 16, 224, 224)).shape == (1, 1408)
    assert VideoMaeFvd.feature_size == 1408


def test_clips_of_other_lengths_are_refused() -> None:
    with pytest.raises(MetricError, match="takes clips of 16 frames, not 17"):
        VideoMaeFvd(tiny_videomae()).measure_reference(random_video(0, (1, 3, 17, 16, 16)))


def test_without_weights_it_is_unavailable_with_the_command() -> None:
    unavailable = make_metric("fvd-videomae-g-ssv2").unavailable()
    assert unavailable is not None
    assert unavailable.hint == "toklab weights pull fvd-videomae-g-ssv2 --accept-licence"
