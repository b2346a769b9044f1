"""The loss terms of a recipe: the networks they need, and how objectives get them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...tokenizers.training.adversary import Adversary
from ...tokenizers.training.errors import TrainingError
from ...tokenizers.training.losses import ReconstructionTerms, WeightedLoss, multi_scale_ssim_loss
from ...tokenizers.training.recipe import Recipe
from ..metrics import weights


def reconstruction_terms(
    recipe: Recipe,
    on_message: Callable[[str], None],
    *,
    lpips: Callable[[bool], LpipsLoss] | None = None,
    adaptive: bool = True,
) -> ReconstructionTerms:
    """The weighted terms of a recipe; LPIPS gives way to the SSIM term where its weights aren't on this machine.

    Args:
        recipe: names the terms.
        on_message: called with what the user should know.
        lpips: makes the LPIPS term, with dropout or without, in place of the one with the published weights.
        adaptive: ``False``: the adversarial weight is constant, whatever the recipe says.

    Raises:
        TrainingError: if the weights of LPIPS aren't there, and the recipe has nothing in its place.
    """
    wanted = recipe.terms
    terms: dict[str, WeightedLoss] = {}
    ssim = wanted.ssim
    if wanted.lpips:
        if lpips is not None or weights.locate(weights.LPIPS_VGG) is not None:
            terms["lpips"] = WeightedLoss((lpips or _lpips_loss)(wanted.lpips_dropout), wanted.lpips)
        elif not wanted.ssim_instead:
            raise TrainingError(
                f"{recipe.name} needs the weights of LPIPS: {weights.LPIPS_VGG.hint}; or give it terms.ssim_instead"
            )
        else:
            ssim += wanted.ssim_instead
            on_message(f"LPIPS is unavailable, so SSIM stands in for it; to fix it: {weights.LPIPS_VGG.hint}")
    if ssim:
        terms["ssim"] = WeightedLoss(multi_scale_ssim_loss, ssim)
    if wanted.adversarial:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.optimization.seed)
            adversary = Adversary(
                wanted.discriminator_width,
                wanted.lecam,
                discriminator=wanted.discriminator,
                num_layers=wanted.discriminator_layers,
                loss=wanted.discriminator_loss,
                generator_logits=wanted.generator_logits,
            )
        terms["adversarial"] = WeightedLoss(adversary, wanted.adversarial, wanted.adversarial_start)
    return ReconstructionTerms(terms, adaptive=adaptive and wanted.adversarial_weighting == "adaptive")


def terms_of_objective(kind: Any, recipe: Recipe, terms: ReconstructionTerms) -> dict[str, Any]:
    """The terms as constructor parameters of an objective: ``perceptual``, and ``adversarial`` where that is apart.

    They are bound methods, so that loss networks become neither part of the objective's state nor of what it trains.

    Args:
        kind: the recipe's :class:`~toklab.tokenizers.training.objective.Objective`.
        recipe: named in errors.
        terms: the recipe's.

    Raises:
        TrainingError: if the adversarial weight is adaptive and the objective can't tell the term from others.
    """
    if terms.adversary is None or not recipe.terms.adversarial_apart:
        return {"perceptual": terms.forward if terms.terms else None}
    if getattr(kind, "takes_adversarial", False):
        return {"perceptual": terms.perceptual if len(terms.terms) > 1 else None, "adversarial": terms.adversarial}
    if terms.adaptive:
        raise TrainingError(
            f"{recipe.name}: {recipe.objective} takes no adaptive weights; set terms.adversarial_weighting to constant"
        )
    return {"perceptual": terms.forward}


class LpipsLoss(nn.Module):
    """LPIPS (VGG) of frames, averaged.

    Args:
        network: as :func:`toklab.bench.metrics.lpips.build_lpips` gives it.
        dropout: whether half of the differences in each layer are left out at random, as in VidTok's trainings.
    """

    def __init__(self, network: nn.Module, *, dropout: bool = False):
        super().__init__()
        self.network = network.train(dropout)

    def forward(self, reconstruction: Tensor, clip: Tensor) -> Tensor:
        """A scalar, of (B, 3, T, H, W) twice."""
        x, y = (video.transpose(1, 2).flatten(0, 1).float() for video in (clip, reconstruction))
        return self.network(x, y).mean()


def _lpips_loss(dropout: bool) -> LpipsLoss:
    from ..metrics.lpips import build_lpips

    backbone = torch.load(weights.verified(weights.LPIPS_VGG), map_location="cpu", weights_only=True)
    return LpipsLoss(build_lpips("vgg", backbone), dropout=dropout)
