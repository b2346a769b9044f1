"""JEDi from clips to its figure, through a tiny network of V-JEPA's kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from metric_windows import estimate, feature_window, make_batch, make_metric, random_video, refusal
from tiny_video_transformers import tiny_vjepa
from toklab.bench.metrics.interface import MeasuredWindow, MetricError, Unavailable
from toklab.bench.metrics.jedi import Jedi, PairedJedi
from toklab.bench.metrics.polynomial_distance import PairedMoments
from toklab.bench.metrics.weights import WeightsUnavailableError
from toklab.bench.statistics.families import Family
from toklab.bench.statistics.intervals import student_quantile
from torch.nn import functional as F


def _windows(num_sources: int, size: int = 6, seed: int = 0) -> list[MeasuredWindow]:
    generator = np.random.default_rng(seed)
    made = []
    for source in range(num_sources):
        for index in range(2):
            reference = generator.normal(size=size)
            made.append(
                feature_window(f"v{source:02}", index, reference + 0.2 * generator.normal(size=size), reference)
            )
    return made


def test_the_network_sees_squashed_and_normalised_clips() -> None:
    metric = Jedi(tiny_vjepa())
    video = torch.linspace(-1, 1, 50).expand(1, 3, 2, 40, 50) * torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1, 1)
    prepared = metric.prepared(video)
    assert prepared.shape == (1, 3, 2, 224, 224)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        frame = (video[0, channel, 1][None, None] + 1) / 2
        squashed = F.interpolate(frame, (224, 224), mode="bilinear", align_corners=False, antialias=False)
        torch.testing.assert_close(prepared[0, channel, 1], (squashed[0, 0] - mean) / deviation)


@pytest.mark.slow
def test_from_clips_to_the_figure() -> None:
    network = tiny_vjepa()
    metrics = Jedi(network), PairedJedi(network)
    windows, features = [], {"x": [], "y": []}
    for source in range(5):
        video = random_video(source, (1, 3, 16, 20, 24))
        made = (0.8 * video).clamp(-1, 1)
        arrays = metrics[0].measure(make_batch(video, made))[0]
        reference = metrics[0].measure_reference(video)[0]
        assert arrays["features"].dtype == np.float32
        windows.append(MeasuredWindow(f"v{source}", 0, 16, arrays, reference))
        with torch.no_grad():
            features["x"].append(network(metrics[0].prepared(made))[0].numpy())
            features["y"].append(network(metrics[0].prepared(video))[0].numpy())
    moments = PairedMoments.of(np.stack(features["x"]), np.stack(features["y"]))
    assert estimate(metrics[0], windows).value == pytest.approx(moments.distance(), rel=1e-6)
    assert estimate(metrics[1], windows).value == pytest.approx(moments.paired_distance(), rel=1e-4)


def test_what_a_supplied_network_measured_is_kept_apart() -> None:
    assert Jedi().measurement_key == PairedJedi().measurement_key
    assert Jedi(tiny_vjepa()).measurement_key == Jedi().measurement_key + ":supplied"


def test_clips_of_other_lengths_are_refused() -> None:
    metric = Jedi(tiny_vjepa())
    for num_frames in (15, 17):
        with pytest.raises(MetricError, match=f"takes clips of 16 frames, not {num_frames}"):
            metric.measure_reference(random_video(0, (1, 3, num_frames, 16, 16)))


def test_without_weights_it_is_unavailable_with_the_command() -> None:
    for name in ("jedi", "jedi-paired"):
        unavailable = make_metric(name).unavailable()
        assert unavailable is not None
        assert unavailable.hint == "toklab weights pull jedi --accept-licence"
        with pytest.raises(WeightsUnavailableError, match="not on this machine"):
            make_metric(name).prepare(torch.device("cpu"))


@pytest.mark.parametrize("name", ["jedi", "jedi-paired"])
def test_a_set_and_its_negative_are_at_distance_zero(name: str) -> None:
    windows = [replace(w, arrays={"features": -w.reference_arrays["features"]}) for w in _windows(6)]
    assert estimate(make_metric(name), windows).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["jedi", "jedi-paired"])
@pytest.mark.parametrize("num_sources", [8, 55])
def test_the_interval_is_a_jackknife_over_groups_of_videos(name: str, num_sources: int) -> None:
    from toklab.bench.statistics.jackknife import source_groups

    windows, metric = _windows(num_sources), make_metric(name)
    outcome = estimate(metric, windows)
    names = sorted({window.source for window in windows})
    groups = dict(zip(names, source_groups(names).tolist(), strict=True))
    count = max(groups.values()) + 1
    left = [estimate(metric, [w for w in windows if groups[w.source] != g]).value for g in range(count)]
    error = np.sqrt((count - 1) / count * np.square(np.array(left) - np.mean(left)).sum())
    half = student_quantile(0.975, count - 1) * error
    low = outcome.value - half if name == "jedi-paired" else max(0.0, outcome.value - half)
    assert (outcome.low, outcome.high) == pytest.approx((low, outcome.value + half), rel=1e-6)
    assert outcome.interval_note == f"the interval is of JEDi at N = {2 * num_sources}, not of JEDi"


def test_only_the_biased_one_is_noted_as_inflated() -> None:
    windows = _windows(6)
    note = estimate(make_metric("jedi"), windows).note
    assert "N = 12 ≤ 1,280: the value is inflated" in note
    assert "at N = 6" in note
    assert estimate(make_metric("jedi-paired"), windows).note == ""


def test_the_paired_one_may_be_negative_and_so_may_its_interval() -> None:
    generator = np.random.default_rng(3)
    found = []
    for draw in range(20):
        features = generator.normal(size=(10, 2, 30))
        windows = [feature_window(f"v{n}", draw, x, y) for n, (x, y) in enumerate(features)]
        found.append(estimate(make_metric("jedi-paired"), windows))
    assert min(outcome.value for outcome in found) < 0
    assert min(outcome.low or 0 for outcome in found) < 0


def test_systems_are_told_apart() -> None:
    windows = _windows(12)
    worse = [replace(w, arrays={"features": 3 * w.arrays["features"]}) for w in windows]
    for name in ("jedi", "jedi-paired"):
        family = make_metric(name).compare_systems([windows, worse])
        assert isinstance(family, Family)
        assert family.differences[0].separable


def test_features_of_different_weights_make_no_figure() -> None:
    windows = _windows(6)
    digests = np.zeros(32, np.uint8), np.ones(32, np.uint8)
    marked = [replace(w, arrays={**w.arrays, "weights": digests[w.window]}) for w in windows]
    assert "different weights" in refusal(make_metric("jedi"), marked).reason
    same = [replace(w, arrays={**w.arrays, "weights": digests[0]}) for w in windows]
    assert estimate(make_metric("jedi"), same).value == estimate(make_metric("jedi"), windows).value


@pytest.mark.parametrize("name", ["jedi", "jedi-paired", "fvd-videomae-g-ssv2"])
def test_systems_of_different_weights_are_not_compared(name: str) -> None:
    one, other = (
        [replace(w, arrays={**w.arrays, "weights": np.full(32, digest, np.uint8)}) for w in _windows(12)]
        for digest in (0, 1)
    )
    refused = make_metric(name).compare_systems([one, other])
    assert isinstance(refused, Unavailable)
    assert "different weights" in refused.reason
    assert isinstance(make_metric(name).compare_systems([one, one]), Family)
