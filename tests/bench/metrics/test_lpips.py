"""LPIPS with a random backbone against the official figures, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lpips
import pytest
import torch
from lpips_backbones import random_backbone
from metric_windows import make_batch, make_metric, random_video
from safetensors.torch import load_file
from toklab.bench.metrics.interface import MetricError
from toklab.bench.metrics.lpips import LpipsAlex, LpipsAlexSpatial, LpipsVgg, build_lpips, lpips_distance
from toklab.bench.metrics.lpips_vgg import VggLpips
from torch import Tensor


@pytest.fixture(scope="module")
def vgg_backbone() -> dict[str, Tensor]:
    return random_backbone("vgg")


@pytest.mark.slow
@pytest.mark.goldens
def test_equals_vidtok_with_a_random_backbone(shared: Path, vgg_backbone: dict[str, Tensor]) -> None:
    tensors = load_file(shared / "goldens/metrics/vidtok_lpips_randvgg.safetensors")
    cases = json.loads((shared / "goldens/metrics/vidtok_lpips_randvgg.json").read_text())["cases"]
    model = build_lpips("vgg", vgg_backbone)
    for case, stored in cases.items():
        if f"{case}.x" in tensors:
            x, y = tensors[f"{case}.x"], tensors[f"{case}.y"]
        else:
            generator = torch.Generator().manual_seed(52)
            x = torch.rand(stored["shape"], generator=generator) * 2 - 1
            y = (x + 0.3 * torch.randn(stored["shape"], generator=generator)).clamp(-1, 1)
        distances = lpips_distance(model, x.unsqueeze(2), y.unsqueeze(2)).flatten()
        assert distances.tolist() == pytest.approx(stored["lpips"], abs=1e-6), case


@pytest.mark.slow
def test_measures_every_frame_of_every_window(vgg_backbone: dict[str, Tensor]) -> None:
    x, y = random_video(0, (2, 3, 5, 16, 24)), random_video(1, (2, 3, 5, 16, 24))
    arrays = LpipsVgg(vgg_backbone).measure(make_batch(x, y))
    single = LpipsVgg(vgg_backbone).measure(make_batch(x[1:, :, 2:3], y[1:, :, 2:3]))
    assert [a["lpips"].shape for a in arrays] == [(5,), (5,)]
    assert arrays[1]["lpips"][2] == pytest.approx(single[0]["lpips"][0], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(16, 16), (37, 50), (96, 64)])
def test_the_fast_form_of_vgg_equals_the_package(vgg_backbone: dict[str, Tensor], size: tuple[int, int]) -> None:
    model = build_lpips("vgg", vgg_backbone)
    x = random_video(0, (1, 3, 2, *size))
    y = (x + 0.2 * random_video(1, x.shape)).clamp(-1, 1)
    with torch.no_grad():
        expected = model(x[0].transpose(0, 1), y[0].transpose(0, 1)).flatten().tolist()
        fast = VggLpips(model).distances(x[0].transpose(0, 1), y[0].transpose(0, 1)).tolist()
    assert fast == pytest.approx(expected, rel=1e-5)
    assert lpips_distance(model, x, y)[0].tolist() == fast


@pytest.mark.slow
def test_a_window_has_one_value_whatever_is_measured_beside_it(vgg_backbone: dict[str, Tensor]) -> None:
    model = build_lpips("vgg", vgg_backbone)
    x, y = random_video(0, (2, 3, 9, 16, 20)), random_video(1, (2, 3, 9, 16, 20))
    together = lpips_distance(model, x, y)
    assert torch.equal(lpips_distance(model, x[1:], y[1:])[0], together[1])


@pytest.mark.slow
def test_changed_weights_are_noticed(vgg_backbone: dict[str, Tensor]) -> None:
    model = build_lpips("vgg", vgg_backbone)
    x, y = random_video(0, (1, 3, 1, 16, 16)), random_video(1, (1, 3, 1, 16, 16))
    before = lpips_distance(model, x, y)
    state = {name: value * (1.5 if name.startswith("lin") else 0.9) for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    after = lpips_distance(model, x, y)
    with torch.no_grad():
        expected = model(x[:, :, 0], y[:, :, 0]).item()
    assert after.item() == pytest.approx(expected, rel=1e-5)
    assert after.item() != pytest.approx(before.item(), rel=1e-3)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_identical_frames_have_no_distance(network: str) -> None:
    backbone = random_backbone(network)
    video = random_video(0, (1, 3, 2, 40, 40))
    metrics = (LpipsAlex(backbone), LpipsAlexSpatial(backbone)) if network == "alex" else (LpipsVgg(backbone),)
    for metric in metrics:
        assert metric.measure(make_batch(video, video))[0]["lpips"].tolist() == [0, 0]


@pytest.mark.slow
def test_spatial_equals_the_package() -> None:
    backbone = random_backbone("alex")
    official = lpips.LPIPS(net="alex", version="0.1", spatial=True, pnet_rand=True, verbose=False)
    official.load_state_dict(build_lpips("alex", backbone, spatial=True).state_dict())
    x, y = random_video(0, (1, 3, 2, 40, 56)), random_video(1, (1, 3, 2, 40, 56))
    (measured,) = LpipsAlexSpatial(backbone).measure(make_batch(x, y))
    with torch.no_grad():
        expected = [official(x[:, :, frame], y[:, :, frame]).mean().item() for frame in range(2)]
    assert measured["lpips"].tolist() == pytest.approx(expected, rel=1e-6)
    plain = LpipsAlex(backbone).measure(make_batch(x, y))[0]["lpips"].tolist()
    assert plain != pytest.approx(expected, rel=1e-5)


def test_values_out_of_range_are_refused(vgg_backbone: dict[str, Tensor]) -> None:
    video = random_video(0, (1, 3, 1, 16, 16))
    with pytest.raises(MetricError, match="takes values in"):
        LpipsVgg(vgg_backbone).measure(make_batch(video, video * 127.5 + 127.5))


def test_small_frames_are_refused(vgg_backbone: dict[str, Tensor]) -> None:
    video = random_video(0, (1, 3, 1, 8, 32))
    with pytest.raises(MetricError, match="8×32"):
        LpipsVgg(vgg_backbone).measure(make_batch(video, video))


def test_an_incomplete_backbone_is_refused(vgg_backbone: dict[str, Tensor]) -> None:
    backbone = {name: value for name, value in vgg_backbone.items() if name != "features.28.bias"}
    with pytest.raises(MetricError, match=r"lacks features\.28\.bias"):
        build_lpips("vgg", backbone)


def test_a_file_of_weights_runs_no_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    metric = LpipsVgg()
    monkeypatch.setattr("toklab.bench.metrics.weights.verified", lambda file: tmp_path / "net.pth")
    torch.save({"features.0.weight": Code()}, tmp_path / "net.pth")
    with pytest.raises(UnpicklingError):
        metric.prepare(torch.device("cpu"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_weights_come_from_their_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vgg_backbone: dict[str, Tensor]
) -> None:
    monkeypatch.setattr("toklab.bench.metrics.weights.verified", lambda file: tmp_path / "net.pth")
    torch.save(vgg_backbone, tmp_path / "net.pth")
    batch = make_batch(random_video(0, (1, 3, 1, 16, 16)), random_video(1, (1, 3, 1, 16, 16)))
    found, expected = LpipsVgg().measure(batch), LpipsVgg(vgg_backbone).measure(batch)
    assert found[0]["lpips"].tolist() == expected[0]["lpips"].tolist()


def test_without_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("lpips-vgg", "lpips-alex", "lpips-alex-spatial"):
        missing = make_metric(name).unavailable()
        assert missing is not None
        assert missing.hint == f"toklab weights pull {name.removesuffix('-spatial')}"


def test_the_backbone_is_part_of_the_measurement(vgg_backbone: dict[str, Tensor]) -> None:
    assert LpipsVgg().measurement_key == "lpips-vgg:v1:397923af8e79"
    assert LpipsVgg(vgg_backbone).measurement_key != LpipsVgg().measurement_key
