"""Shapes, causality, growth and tiles of the progressive networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.networks.magvit2.tiles import LayerTiling
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.model import DirectModel, ProgressiveModel, grow
from torch import Tensor

MakeModel = Callable[..., ProgressiveModel | DirectModel]
VARIANTS = [("progressive", 4), ("progressive", 8), ("progressive", 16), ("direct", 8), ("direct", 16)]

pytestmark = pytest.mark.usefixtures("_without_gradients")


@pytest.fixture
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def clip(num_frames: int, height: int = 16, width: int = 24) -> Tensor:
    return torch.rand(2, 3, num_frames, height, width) * 2 - 1


def mean(model: ProgressiveModel | DirectModel, video: Tensor) -> Tensor:
    return model.regularization(model.moments(video)).latents


@pytest.mark.parametrize(("architecture", "ratio"), VARIANTS)
def test_shapes(make_model: MakeModel, architecture: str, ratio: int) -> None:
    model = make_model(architecture=architecture, ratio=ratio, z_channels=6)
    for num_frames in (1, 17, 33):
        video = clip(num_frames)
        latents = mean(model, video)
        assert latents.shape == (2, 6, 1 + (num_frames - 1) // ratio, 2, 3)
        reconstruction = model.decode(latents)
        assert reconstruction.shape == video.shape
        assert reconstruction.isfinite().all()
        assert torch.equal(reconstruction, model.reconstruct(video))


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "ratio"), VARIANTS)
def test_causal_at_the_latents_resolution(make_model: MakeModel, architecture: str, ratio: int) -> None:
    model = make_model(architecture=architecture, ratio=ratio)
    video = clip(33)
    for num_latents in range(1, 1 + 32 // ratio):
        num_frames = 1 + (num_latents - 1) * ratio
        changed = torch.cat([video[:, :, :num_frames], -video[:, :, num_frames:]], 2)
        latents, changed_latents = mean(model, video), mean(model, changed)
        torch.testing.assert_close(changed_latents[:, :, :num_latents], latents[:, :, :num_latents])
        assert not torch.allclose(changed_latents[:, :, num_latents], latents[:, :, num_latents])
        reconstruction, changed_reconstruction = model.decode(latents), model.decode(changed_latents)
        torch.testing.assert_close(changed_reconstruction[:, :, :num_frames], reconstruction[:, :, :num_frames])


@pytest.mark.parametrize("ratio", [8, 16])
def test_a_new_level_starts_as_the_base_on_every_second_frame(base: ProgressiveModel, ratio: int) -> None:
    model = ProgressiveModel(replace(base.config, bootstrap=True))
    model.load_state_dict(base.state_dict())
    while model.config.ratio < ratio:
        model = grow(model)
    video = clip(33)
    step = ratio // 4
    key_frames = video[:, :, ::step]
    assert torch.equal(model.moments(video), base.moments(key_frames))
    # The base decodes its own latents, every feature of which the new levels repeat.
    features = base.base.bottleneck.features(mean(base, key_frames))
    times = [-(-frame // step) for frame in range(step * (features.shape[2] - 1) + 1)]
    expected = base.base.decoder.frames(features[:, :, times])
    torch.testing.assert_close(model.reconstruct(video), expected)
    assert torch.equal(model.moments(key_frames, ratio=4), base.moments(key_frames))


def test_growth_without_bootstrap_starts_elsewhere(base: ProgressiveModel) -> None:
    grown = grow(base)
    video = clip(17)
    assert not torch.allclose(grown.moments(video), base.moments(video[:, :, ::2]))
    for name, value in base.state_dict().items():
        assert torch.equal(grown.state_dict()[name], value), name


def test_growing_leaves_the_grown_model_its_own_weights(base: ProgressiveModel) -> None:
    grown = grow(base)
    assert not any(p.is_meta for p in grown.parameters())
    before = base.base.bottleneck.norm.weight
    assert before is not None
    kept = before.clone()
    for parameter in grown.parameters():
        parameter.zero_()
    assert torch.equal(before, kept)


def test_every_level_is_usable_at_its_own_ratio(make_model: MakeModel) -> None:
    model = make_model(ratio=16)
    assert isinstance(model, ProgressiveModel)
    video = clip(17)
    for ratio in (4, 8):
        lower = ProgressiveModel(replace(model.config, ratio=ratio))
        lower.load_state_dict({name: model.state_dict()[name] for name in lower.state_dict()})
        moments = model.moments(video, ratio=ratio)
        torch.testing.assert_close(moments, lower.moments(video))
        latents = model.regularization(moments).latents
        torch.testing.assert_close(model.decode(latents, ratio=ratio), lower.decode(latents))
    with pytest.raises(TokenizerError, match="ratios 4 to 16, not 32"):
        model.moments(video, ratio=32)


def test_the_base_sees_each_stride_once(make_model: MakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(ratio=16)
    lengths: list[int] = []
    run = model.base.encoder.features

    def counted(video: Tensor, tiling: LayerTiling | None) -> Tensor:
        lengths.append(video.shape[2])
        return run(video, tiling)

    monkeypatch.setattr(model.base.encoder, "features", counted)
    model.moments(clip(17))
    assert sorted(lengths) == [5, 9, 17]


@pytest.mark.parametrize("num_frames", [1, 17])
def test_the_recursion_is_that_of_the_paper(make_model: MakeModel, num_frames: int) -> None:
    model = make_model(ratio=16)
    assert isinstance(model, ProgressiveModel)
    level = model.level(16)
    assert level.affine is not None
    video = clip(num_frames)
    key, full = model.features(video[:, :, ::2], 8), model.features(video, 8)
    scale = 1 + level.affine(key.mean((3, 4)).movedim(1, -1)).movedim(-1, 1)
    frames = [(frame + 1) // 2 for frame in range(full.shape[2])]
    mixed = level.norm(full) * scale[:, :, frames, None, None]
    torch.testing.assert_close(model.features(video, 16), key + level.encoder(mixed))


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize(("architecture", "ratio"), VARIANTS)
@pytest.mark.parametrize("norm", ["rms", "group"])
def test_tiled_equals_untiled(make_model: MakeModel, architecture: str, ratio: int, norm: str) -> None:
    model = make_model(architecture=architecture, ratio=ratio, norm=norm)
    video = clip(17, 40, 56)
    tiling = LayerTiling.from_size(40, 56, 16)
    moments = model.moments(video)
    torch.testing.assert_close(model.moments(video, tiling), moments, rtol=1e-4, atol=1e-4)
    latents = model.regularization(moments).latents
    torch.testing.assert_close(model.decode(latents, tiling), model.decode(latents), rtol=1e-4, atol=1e-4)


def test_state_keys(make_model: MakeModel) -> None:
    grown = {".".join(key.split(".")[:3]) for key in make_model(ratio=16).state_dict()}
    parts = {f"grow.{ratio}.{part}" for ratio in (8, 16) for part in ("affine", "encoder", "decoder", "bottleneck")}
    assert {key for key in grown if key.startswith("grow")} == parts
    assert {".".join(key.split(".")[:2]) for key in grown if key.startswith("base")} == {
        "base.encoder",
        "base.decoder",
        "base.bottleneck",
    }
    direct = {".".join(key.split(".")[:3]) for key in make_model(architecture="direct", ratio=8).state_dict()}
    assert {key for key in direct if not key.startswith("base")} == {"extend.8.encoder", "extend.8.decoder"}


def test_illegal_parameters_are_refused() -> None:
    for parameters, message in (
        ({"ratio": 12}, "ratio must be one of 4, 8, 16"),
        ({"architecture": "deep"}, "architecture must be one of progressive, direct"),
        ({"norm": "layer"}, "norm must be one of rms, group"),
        ({"ch": 7}, "take a multiple of 4 up to 32"),
        ({"ch": 36}, "ch=36 doesn't"),
        ({"depth": 1}, "unknown depth"),
    ):
        with pytest.raises(TokenizerError, match=message):
            ProgressiveConfig.from_parameters(parameters)
