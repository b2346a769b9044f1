"""What holds for every VidTok network, whatever its weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.networks.kernels import strips
from toklab.tokenizers.vidtok import blocks, context, joint_upsampling
from toklab.tokenizers.vidtok.context import TimeContext, double_linearly
from toklab.tokenizers.vidtok.model import VidTokModel
from torch.nn import functional as F

ModelFactory = Callable[..., VidTokModel]
VARIANTS = ("causal", "causal_v1_1", "noncausal")


@pytest.mark.parametrize("variant", ["causal", "causal_v1_1"])
def test_latents_and_frames_depend_on_no_later_frame(tiny_model: ModelFactory, variant: str) -> None:
    model = tiny_model(variant)
    video = torch.rand(1, 3, 17, 16, 16) * 2 - 1
    changed = video.clone()
    changed[:, :, 9:] = torch.rand(1, 3, 8, 16, 16)
    features, changed_features = model.encode(video), model.encode(changed)
    torch.testing.assert_close(features[:, :, :3], changed_features[:, :, :3])
    assert not torch.allclose(features[:, :, 3], changed_features[:, :, 3])
    latents = torch.randn(1, 4, 5, 2, 2)
    changed_latents = latents.clone()
    changed_latents[:, :, 3:] = 0
    # A v1.1 decoder interpolates, so the last frames of a latent see the next one.
    num_fixed = 9 if variant == "causal" else 6
    torch.testing.assert_close(
        model.decode(latents)[:, :, :num_fixed], model.decode(changed_latents)[:, :, :num_fixed], atol=2e-5, rtol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_clips_of_a_batch_do_not_see_each_other(tiny_model: ModelFactory, variant: str) -> None:
    model = tiny_model(variant)
    video = torch.rand(3, 3, 8 if variant == "noncausal" else 9, 16, 24) * 2 - 1
    features = model.encode(video)
    alone = torch.cat([model.encode(clip[None]) for clip in video])
    torch.testing.assert_close(features, alone, atol=1e-5, rtol=1e-5)
    latents = model.regularization(features).latents
    reconstruction = model.decode(latents)
    alone = torch.cat([model.decode(latent[None]) for latent in latents])
    torch.testing.assert_close(reconstruction, alone, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "trilinear"])
def test_skipping_repeated_frames_changes_nothing(tiny_model: ModelFactory, mode: str) -> None:
    model = tiny_model("causal_v1_1", interpolation_mode=mode)
    assert model.skips_repeated_frames
    video = torch.rand(1, 3, 9, 16, 16) * 2 - 1
    padded = torch.cat([video[:, :, :1].expand(-1, -1, 3, -1, -1), video], 2)
    whole = model.encoder(padded, TimeContext("first_frame"))
    torch.testing.assert_close(model.encode(video), whole, atol=1e-5, rtol=1e-5)
    latents = model.regularization(whole).latents
    frames = model.decoder(latents, TimeContext("first_frame"))
    assert frames.shape[2] == 12
    torch.testing.assert_close(model.decode(latents), frames[:, :, 3:], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_gradients_reach_every_weight(tiny_model: ModelFactory, variant: str) -> None:
    model = tiny_model(variant, use_checkpoint=True).train().requires_grad_(True)
    video = torch.rand(1, 3, 8 if variant == "noncausal" else 9, 16, 16)
    latents = model.regularization(
        model.encode(video), torch.randn(1, 4, 2 if variant == "noncausal" else 3, 2, 2)
    ).latents
    model.decode(latents).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


@pytest.mark.slow
def test_inference_in_pieces_equals_the_differentiable_pass(
    tiny_model: ModelFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "STRIP_VALUES", 1000)
    monkeypatch.setattr(blocks, "FRAME_GROUP_VALUES", 5000)
    monkeypatch.setattr(strips, "STRIP_BYTES", 4000)
    monkeypatch.setattr(joint_upsampling, "STRIP_VALUES", 500)
    for variant in VARIANTS:
        model = tiny_model(variant, ch=16)
        video = torch.rand(2, 3, 8 if variant == "noncausal" else 9, 24, 16) * 2 - 1
        with torch.no_grad():
            features = model.encode(video)
            reconstruction = model.decode(model.regularization(features).latents)
        model.requires_grad_(True)
        torch.testing.assert_close(features, model.encode(video).detach(), atol=1e-5, rtol=1e-5)
        latents = model.regularization(features).latents
        torch.testing.assert_close(reconstruction, model.decode(latents).detach(), atol=3e-5, rtol=1e-5)


def test_inputs_are_left_as_they_are(tiny_model: ModelFactory) -> None:
    model = tiny_model()
    video = torch.rand(1, 3, 5, 16, 16)
    before = video.clone()
    latents = model.regularization(model.encode(video)).latents
    latents_before = latents.clone()
    model.decode(latents)
    assert torch.equal(video, before)
    assert torch.equal(latents, latents_before)


def test_bfloat16_stays_close_to_float32(tiny_model: ModelFactory) -> None:
    for variant in VARIANTS:
        model = tiny_model(variant)
        video = torch.rand(1, 3, 8 if variant == "noncausal" else 9, 16, 16) * 2 - 1
        reference = model.decode(model.regularization(model.encode(video)).latents)
        model = model.bfloat16()
        low = model.decode(model.regularization(model.encode(video.bfloat16())).latents).float()
        assert (low - reference).square().mean().sqrt() < 0.1 * reference.std()


def test_linear_doubling_is_torch_interpolation() -> None:
    x = torch.randn(2, 5, 3, 4, 6)
    expected = F.interpolate(x.permute(0, 4, 1, 2, 3), scale_factor=(2, 1, 1), mode="trilinear", align_corners=False)
    torch.testing.assert_close(double_linearly(x), expected.permute(0, 2, 3, 4, 1))


@pytest.mark.parametrize("mode", ["replicate", "constant", "reflect"])
def test_v1_0_pads_the_start_as_told(tiny_model: ModelFactory, mode: str) -> None:
    model = tiny_model(init_pad_mode=mode)
    video = torch.rand(1, 3, 5, 16, 16)
    start = {
        "replicate": video[:, :, [0, 0, 0]],
        "constant": torch.zeros(1, 3, 3, 16, 16),
        "reflect": video[:, :, [3, 2, 1]],
    }[mode]
    assert torch.equal(model.encode(video), model.encode(torch.cat([start, video], 2)))


def test_a_clip_too_short_for_a_noncausal_network_is_refused(tiny_model: ModelFactory) -> None:
    with pytest.raises(TokenizerError, match="at least 4 frames"):
        tiny_model("noncausal").encode(torch.zeros(1, 3, 3, 16, 16))


@pytest.mark.parametrize("variant", VARIANTS)
def test_group_norm_networks_run(tiny_model: ModelFactory, variant: str) -> None:
    model = tiny_model(variant, norm_type="groupnorm", ch=32, ch_mult=[1, 1], time_downsample_factor=2)
    video = torch.rand(1, 3, 4 if variant == "noncausal" else 5, 8, 8)
    assert model.reconstruct(video).shape == video.shape


def test_fixed_halves_do_not_train(tiny_model: ModelFactory) -> None:
    model = tiny_model(fix_encoder=True)
    trained = VidTokModel(model.config)
    assert not any(p.requires_grad for p in trained.encoder.parameters())
    assert all(p.requires_grad for p in trained.decoder.parameters())
