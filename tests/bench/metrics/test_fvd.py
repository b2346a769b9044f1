"""FVD through a TorchScript stand-in of I3D's signature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_windows import estimate, feature_window, make_batch, make_metric, random_video, refusal
from toklab.bench.metrics.feature_set import FeatureSet
from toklab.bench.metrics.frechet import frechet_distance
from toklab.bench.metrics.fvd import FvdCrop, FvdSquash, crop_to_input
from toklab.bench.metrics.interface import MeasuredWindow, MetricError, Unavailable
from toklab.bench.metrics.set_distance import FrechetDistance
from toklab.bench.metrics.weights import FVD_I3D, WeightsUnavailableError
from toklab.bench.statistics.families import Family
from toklab.bench.statistics.intervals import student_quantile
from torch import Tensor, nn
from torch.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")


class StandIn(nn.Module):
    """Takes I3D's arguments and gives 400 averages; marks what it was asked to do in the first two."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        features = F.adaptive_avg_pool3d(x.mean(dim=1), (4, 10, 10)).flatten(1)
        marks = torch.tensor([float(rescale), float(resize), float(return_features), float(x.size(-1))])
        return torch.cat([marks.expand(x.size(0), 4), features[:, 4:]], dim=1)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("i3d") / "stand_in.pt"
    torch.jit.script(StandIn()).save(str(path))
    return path


def test_squash_leaves_the_resize_to_the_network(stand_in: Path) -> None:
    metric = FvdSquash(stand_in)
    x, y = random_video(0, (2, 3, 10, 32, 40)), random_video(1, (2, 3, 10, 32, 40))
    arrays = metric.measure(make_batch(x, y))
    assert [a["features"].shape for a in arrays] == [(400,), (400,)]
    assert arrays[0]["features"].dtype == np.float32
    assert arrays[0]["features"][:4].tolist() == [0, 1, 1, 40]
    reference = metric.measure_reference(y)
    np.testing.assert_array_equal(reference[1]["features"], arrays[1]["features"])


def test_crop_resizes_before_the_network(stand_in: Path) -> None:
    video = random_video(0, (1, 3, 10, 32, 40))
    assert FvdCrop(stand_in).measure_reference(video)[0]["features"][:4].tolist() == [0, 0, 1, 224]


@pytest.mark.parametrize(("height", "width"), [(32, 40), (40, 32), (300, 300), (224, 398), (225, 451)])
def test_crop_keeps_the_centre(height: int, width: int) -> None:
    ramp = torch.linspace(-1, 1, width).expand(1, 3, 2, height, width)
    cropped = crop_to_input(ramp)
    assert cropped.shape == (1, 3, 2, 224, 224)
    assert cropped.mean().item() == pytest.approx(0, abs=0.01)


def test_short_windows_are_refused(stand_in: Path) -> None:
    with pytest.raises(MetricError, match="at least 10 frames, not 9"):
        FvdSquash(stand_in).measure_reference(random_video(0, (1, 3, 9, 16, 16)))


@pytest.mark.slow
def test_a_wrong_file_is_never_loaded(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKLAB_WEIGHTS", str(tmp_path))
    wrong = tmp_path / FVD_I3D.file_name
    content = stand_in.read_bytes()
    wrong.write_bytes(content + b"\0" * (FVD_I3D.size - len(content)))
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(WeightsUnavailableError, match="SHA-256"):
        make_metric("fvd-i3d").prepare(torch.device("cpu"))


def _windows(num_sources: int, per_source: int, seed: int = 0, size: int = 400) -> list[MeasuredWindow]:
    generator = np.random.default_rng(seed)
    made = []
    for source in range(num_sources):
        base = generator.normal(size=size)
        for index in range(per_source):
            reference = (base + generator.normal(size=size)).astype(np.float32)
            reconstruction = (reference + 0.3 * generator.normal(size=size)).astype(np.float32)
            made.append(feature_window(f"video{source:03}", index, reconstruction, reference))
    return made


def test_value_interval_and_warning() -> None:
    windows = _windows(12, 2)
    outcome = estimate(make_metric("fvd-i3d"), windows)
    reconstructed = np.stack([window.arrays["features"] for window in windows])
    reference = np.stack([window.reference_arrays["features"] for window in windows])
    assert outcome.value == pytest.approx(frechet_distance(reconstructed, reference), rel=1e-12)
    assert "N = 24 ≤ 400: the covariance is singular and the value inflated" in outcome.note
    assert f"{outcome.value:.1f} at N = 24, {outcome.details['value_at_half']:.1f} at N = 12" in outcome.note
    assert outcome.interval_note == "the interval is of FVD at N = 24, not of FVD"
    assert outcome.num_sources == 12
    assert outcome.count == 24
    assert outcome.low is not None
    assert outcome.high is not None
    assert outcome.low < outcome.value < outcome.high
    assert outcome.details["half_count"] == 12
    assert outcome.details["value_at_half"] > outcome.value


def test_conventions_of_the_covariance() -> None:
    windows = _windows(6, 1)
    squash, crop = (estimate(make_metric(name), windows).value for name in ("fvd-i3d", "fvd-i3d-crop"))
    assert squash < crop


def test_order_does_not_matter() -> None:
    windows = _windows(5, 3)
    assert estimate(make_metric("fvd-i3d"), windows) == estimate(make_metric("fvd-i3d"), windows[::-1])


def test_windows_of_several_clips() -> None:
    windows = _windows(5, 3, size=6)
    whole = estimate(make_metric("fvd-i3d"), windows)
    assert whole.counted == "windows"
    joined = []
    for source in sorted({window.source for window in windows}):
        own = [window for window in windows if window.source == source]
        x, y = (np.stack([arrays(w)["features"] for w in own]) for arrays in (_arrays, _reference_arrays))
        joined.append(feature_window(source, 0, x, y))
    clips = estimate(make_metric("fvd-i3d"), joined)
    assert (clips.value, clips.low, clips.high) == (whole.value, whole.low, whole.high)
    assert (clips.counted, clips.count, clips.num_sources) == ("clips", 15, 5)
    with pytest.raises(ValueError, match="of a reference with"):
        estimate(
            make_metric("fvd-i3d"), [replace(joined[0], reference_arrays={"features": np.ones((2, 6))}), joined[1]]
        )


def _arrays(window: MeasuredWindow) -> dict[str, np.ndarray]:
    return dict(window.arrays)


def _reference_arrays(window: MeasuredWindow) -> dict[str, np.ndarray]:
    return dict(window.reference_arrays)


def test_refuses_missing_references_and_single_windows() -> None:
    windows = _windows(2, 1)
    lacking = [windows[0], replace(windows[1], reference_arrays={})]
    assert "1 of 2 references" in refusal(make_metric("fvd-i3d"), lacking).reason
    assert "at least 2" in refusal(make_metric("fvd-i3d"), windows[:1]).reason


def test_the_interval_is_a_jackknife_over_videos() -> None:
    windows = _windows(9, 2, size=6)
    metric = make_metric("fvd-i3d-crop")
    outcome = estimate(metric, windows)
    names = sorted({window.source for window in windows})
    without = [estimate(metric, [w for w in windows if w.source != name]).value for name in names]
    error = np.sqrt(8 / 9 * ((np.array(without) - np.mean(without)) ** 2).sum())
    half = student_quantile(0.975, 8) * error
    assert (outcome.low, outcome.high) == pytest.approx((max(0, outcome.value - half), outcome.value + half), rel=1e-9)


def test_few_videos_have_no_interval() -> None:
    outcome = estimate(make_metric("fvd-i3d"), _windows(4, 3, size=6))
    assert (outcome.low, outcome.high, outcome.num_sources, outcome.interval_note) == (None, None, 4, "")


def test_the_value_is_never_below_zero() -> None:
    windows = [replace(w, arrays=dict(w.reference_arrays)) for w in _windows(6, 2, size=5)]
    outcome = estimate(make_metric("fvd-i3d"), windows)
    assert 0 <= outcome.value < 1e-9
    assert outcome.low is not None
    assert outcome.low >= 0


def test_systems_are_told_apart_at_equal_n() -> None:
    windows = _windows(12, 3, size=6)
    generator = np.random.default_rng(5)

    def worse(window: MeasuredWindow, noise: float) -> MeasuredWindow:
        features = window.arrays["features"] + noise * generator.normal(size=6).astype(np.float32)
        return replace(window, arrays={"features": features})

    metric = make_metric("fvd-i3d")
    bad = [worse(window, 3.0) for window in windows]
    family = metric.compare_systems([windows, bad, list(windows)])
    assert isinstance(family, Family)
    assert [difference.separable for difference in family.differences] == [True, False, True]
    # The second has twice the windows: parts of it take its place, the same on every machine.
    doubled = bad + [replace(worse(window, 3.0), window=window.window + 3) for window in windows]
    family, again = (metric.compare_systems([windows, doubled]) for _ in range(2))
    assert isinstance(family, Family)
    assert family == again
    assert family.values[0] == pytest.approx(estimate(metric, windows).value)
    assert family.values[1] > estimate(metric, doubled).value
    parts = [part.distance() for part in FeatureSet.of(doubled, FrechetDistance(0)).subsamples(36)]
    assert (len(parts), np.mean(parts)) == (8, pytest.approx(family.values[1]))
    mean, low, high = (f"{value:.1f}" for value in (family.values[1], min(parts), max(parts)))
    assert family.notes == ("", f"compared at N = 36: {mean}, the mean of 8 parts from {low} to {high}")


def test_what_the_size_does_to_the_value_is_said_beyond_the_dimensions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = make_metric("fvd-i3d")
    monkeypatch.setattr(type(metric), "feature_size", 6)
    windows = _windows(20, 2, size=6)
    outcome = estimate(metric, windows)
    assert outcome.details["value_at_half"] > 1.1 * outcome.value
    assert outcome.note == f"{outcome.value:.1f} at N = 40, {outcome.details['value_at_half']:.1f} at N = 20"
    # Where the shift outweighs the sampling, there is nothing to say.
    shifted = [replace(w, arrays={"features": w.reference_arrays["features"] + 10}) for w in windows]
    assert estimate(metric, shifted).note == ""


@pytest.mark.parametrize(("count", "is_small"), [(6, True), (7, False)])
def test_a_sample_no_larger_than_a_feature_is_noted(
    count: int, is_small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = make_metric("fvd-i3d")
    monkeypatch.setattr(type(metric), "feature_size", 6)
    windows = [replace(w, arrays={"features": w.reference_arrays["features"] + 10}) for w in _windows(count, 1, size=6)]
    note = estimate(metric, windows).note
    assert note.startswith(f"N = {count} ≤ 6: ") == is_small
    assert bool(note) == is_small


def test_halves_take_four_windows_and_have_equally_many() -> None:
    found = [estimate(make_metric("fvd-i3d"), _windows(count, 1, size=6)).details for count in (2, 3, 4, 5)]
    assert [details.get("half_count") for details in found] == [None, None, 2, 2]


def test_distances_are_told_apart_from_five_videos_on() -> None:
    metric = make_metric("fvd-i3d")
    five = [_windows(5, 1, seed, size=6) for seed in range(2)]
    family = metric.compare_systems(five)
    assert isinstance(family, Family)
    assert family.differences[0].separable is not None
    assert estimate(metric, five[0]).low is not None
    refused = metric.compare_systems([windows[:4] for windows in five])
    assert refused == Unavailable("4 videos are too few to tell distances apart", "measure more videos")


def test_parts_of_a_set_are_chosen_by_hash() -> None:
    features = FeatureSet.of(_windows(5, 2, size=3), FrechetDistance(0))
    chosen = [features.keys[index] for index in features.order(0)[:3]]
    assert chosen == [("video000", 0, 0), ("video000", 1, 0), ("video003", 1, 0)]
    assert features.order(0) != features.order(1)
