"""The loss terms of recipes: LPIPS against its package, and what objectives are given."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import lpips
import pytest
import torch
from lpips_backbones import random_backbone
from safetensors.torch import load_file
from toklab.bench.metrics.lpips import build_lpips
from toklab.bench.training.terms import LpipsLoss, reconstruction_terms, terms_of_objective
from toklab.tokenizers.cdt.objective import CDTObjective
from toklab.tokenizers.training.discriminators import PatchDiscriminator
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.recipe import Recipe, Terms
from toklab.tokenizers.vidtok.objective import VidTokObjective
from torch import Tensor, nn


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return build_lpips("vgg", random_backbone("vgg"))


def recipe_of(**terms: object) -> Recipe:
    return Recipe("mine", "a:b", {}, terms=Terms(**terms))  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_lpips_term_has_the_packages_value_and_gradient(network: nn.Module) -> None:
    package = lpips.LPIPS(net="vgg", pretrained=True, pnet_rand=True, verbose=False).eval()
    package.net.load_state_dict(network.net.state_dict())  # type: ignore[union-attr,arg-type]
    clip = torch.rand(2, 3, 2, 16, 24) * 2 - 1
    reconstruction = (clip + 0.3 * torch.randn_like(clip)).requires_grad_()
    value = LpipsLoss(network)(reconstruction, clip)
    frames = [video.transpose(1, 2).flatten(0, 1) for video in (reconstruction, clip)]
    expected = torch.stack([package(x[None], y[None]) for x, y in zip(*frames, strict=True)]).mean()
    torch.testing.assert_close(value, expected)
    gradients = [torch.autograd.grad(one, reconstruction)[0] for one in (value, expected)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-8)


@pytest.mark.slow
@pytest.mark.goldens
def test_the_lpips_term_is_the_official_codes(network: nn.Module, shared: Path) -> None:
    tensors = load_file(shared / "goldens/metrics/vidtok_lpips_randvgg.safetensors")
    cases = json.loads((shared / "goldens/metrics/vidtok_lpips_randvgg.json").read_text())["cases"]
    case = next(case for case in cases if f"{case}.x" in tensors)
    x, y = (tensors[f"{case}.{name}"].unsqueeze(0).transpose(1, 2) for name in "xy")
    expected = sum(cases[case]["lpips"]) / len(cases[case]["lpips"])
    assert LpipsLoss(network)(y, x).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_dropout_leaves_half_of_the_differences_out_at_random(network: nn.Module) -> None:
    clip, reconstruction = torch.rand(2, 1, 3, 1, 16, 16) * 2 - 1
    whole = LpipsLoss(network)(reconstruction, clip).item()
    loss = LpipsLoss(network, dropout=True)
    values = torch.stack([loss(reconstruction, clip) for _ in range(30)])
    network.eval()
    assert values.std() > 0
    # What stays counts twice, so the mean is that without dropout.
    assert values.mean().item() == pytest.approx(whole, abs=4 * values.std().item() / 30**0.5)


def test_the_discriminator_is_the_recipes_and_seeded() -> None:
    recipe = recipe_of(adversarial=0.2, discriminator="patch-2d", discriminator_width=4, discriminator_layers=2)
    first, second = (reconstruction_terms(recipe, print).adversary for _ in range(2))
    assert first is not None
    assert second is not None
    assert isinstance(first.discriminator, PatchDiscriminator)
    assert first.lecam_weight == recipe.terms.lecam
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    other = dataclasses.replace(recipe.terms, discriminator="patch-3d", discriminator_loss="hinge")
    third = reconstruction_terms(dataclasses.replace(recipe, terms=other), print).adversary
    assert third is not None
    assert (third.loss, third.generator_logits) == ("hinge", "patch")


def test_objectives_get_the_adversarial_term_apart_where_they_take_it() -> None:
    first = recipe_of(adversarial=0.2, discriminator_width=4, ssim=0.1)
    terms = reconstruction_terms(first, print)
    # As before there was another form.
    assert terms_of_objective(VidTokObjective, first, terms) == {"perceptual": terms.forward}
    recipe = dataclasses.replace(first, terms=dataclasses.replace(first.terms, discriminator_loss="hinge"))
    terms = reconstruction_terms(recipe, print)
    assert terms_of_objective(VidTokObjective, recipe, terms).keys() == {"perceptual", "adversarial"}

    class Plain(VidTokObjective):
        takes_adversarial = False

    assert terms_of_objective(Plain, recipe, terms) == {"perceptual": terms.forward}
    adaptive = recipe_of(adversarial=0.2, discriminator_width=4, adversarial_weighting="adaptive")
    with pytest.raises(TrainingError, match="takes no adaptive weights"):
        terms_of_objective(Plain, adaptive, reconstruction_terms(adaptive, print))
    nothing = recipe_of()
    assert terms_of_objective(CDTObjective, nothing, reconstruction_terms(nothing, print)) == {"perceptual": None}


def test_the_weight_of_the_terms_is_the_recipes() -> None:
    recipe = recipe_of(ssim=0.25)
    terms = reconstruction_terms(recipe, print)
    x, y = torch.rand(2, 1, 3, 1, 16, 16)
    value: Tensor = terms(x, y)
    assert value.item() == pytest.approx(0.25 * terms.values["ssim"].item())
