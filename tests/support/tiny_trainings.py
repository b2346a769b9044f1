"""Trainings of every family with networks of a few channels, on clips of 5 to 9 frames of 16×16 pixels."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from toklab.tokenizers.cdt.config import CDTConfig
from toklab.tokenizers.cdt.model import CDTModel
from toklab.tokenizers.cdt.objective import CDTObjective
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.model import build_model
from toklab.tokenizers.progressive.objective import ProgressiveObjective
from toklab.tokenizers.training.adversary import Adversary
from toklab.tokenizers.training.loop import Progress, TrainingResult, train
from toklab.tokenizers.training.losses import ReconstructionTerms, WeightedLoss
from toklab.tokenizers.training.objective import Objective
from toklab.tokenizers.training.recipe import Optimization, Recipe
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.model import VidTokModel
from toklab.tokenizers.vidtok.objective import VidTokObjective
from torch import Tensor
from torch.nn import functional as F

VIDTOK = {"ch": 8, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "z_channels": 4, "time_downsample_factor": 4}
REGULARIZERS: dict[str, dict[str, Any]] = {
    "kl": {"kind": "kl"},
    "fsq": {"kind": "fsq", "levels": [8, 8, 8, 8]},
    "lfq": {"kind": "lfq", "num_bits": 4},
    "vq": {"kind": "vq", "codebook_size": 16, "dim": 4},
    "vq-ema": {"kind": "vq", "codebook_size": 16, "dim": 4, "codebook_update": "ema"},
    "vq-revived": {"kind": "vq", "codebook_size": 8, "dim": 4, "codebook_update": "ema", "revival_threshold": 0.5},
    "ae": {"kind": "ae"},
}
PROGRESSIVE: dict[str, dict[str, Any]] = {
    "progressive-4x": {},
    "progressive-8x": {"ratio": 8},
    "direct-8x": {"ratio": 8, "architecture": "direct"},
}
CDT = {"latent_dim": 4, "out_channels": 3, "context_dim": 8, "unet_dim": 8, "space_down": [1, 1, 1, 0]}

FAMILIES = (
    *(f"vidtok-{regularizer}" for regularizer in REGULARIZERS),
    "vidtok-v1.1",
    "vidtok-noncausal",
    *PROGRESSIVE,
    "cdt-small",
    "cdt-base",
)


def clips(batch: int, process: int, *, num_frames: int = 9) -> Tensor:
    """A smooth clip that follows from the numbers of batch and process."""
    generator = torch.Generator().manual_seed(1000 * process + batch)
    coarse = torch.rand(1, 3, 2, 2, 2, generator=generator) * 2 - 1
    return F.interpolate(coarse, (num_frames, 16, 16), mode="trilinear")


def build_objective(family: str, terms: ReconstructionTerms, **parameters: Any) -> Objective:
    """The objective of a seeded network; the adversarial term goes where the family takes it."""
    torch.manual_seed(1)
    if family.startswith("cdt"):
        config = CDTConfig.from_parameters({**CDT, "time_down": [0, 0, 1, 1], "new_upsample": family == "cdt-base"})
        return CDTObjective(CDTModel(config).train(), kl_weight=1e-6, perceptual=terms.forward, **parameters)
    parameters = {"perceptual": terms.perceptual, "adversarial": terms.adversarial, **parameters}
    if family in PROGRESSIVE:
        config = ProgressiveConfig.from_parameters(
            {"ch": 8, "num_res_blocks": 1, "z_channels": 4} | PROGRESSIVE[family]
        )
        return ProgressiveObjective(build_model(config).train(), **parameters)
    name = family.removeprefix("vidtok-")
    regularizer = REGULARIZERS.get(name, REGULARIZERS["kl"])
    variant = {"v1.1": "causal_v1_1", "noncausal": "noncausal"}.get(name, "causal")
    own = {"variant": variant, "regularizer": regularizer, "double_z": regularizer["kind"] == "kl"}
    if variant == "causal_v1_1":
        own["interpolation_mode"] = "trilinear"
    return VidTokObjective(VidTokModel(VidTokConfig.from_parameters(VIDTOK | own)).train(), **parameters)


def patch_terms(*, adaptive: bool = True, start: int = 0, **adversary: Any) -> ReconstructionTerms:
    """A squared error and a small PatchGAN, as in VidTok's trainings."""
    torch.manual_seed(2)
    settings: dict[str, Any] = {"discriminator": "patch-2d", "num_layers": 1, "loss": "hinge", **adversary}
    term = WeightedLoss(Adversary(4, 0.005, **{"generator_logits": "sample", **settings}), 0.2, start)
    return ReconstructionTerms(
        {"square": WeightedLoss(lambda x, y: (x - y).square().mean(), 1.0), "adversarial": term}, adaptive=adaptive
    )


@dataclass(frozen=True)
class TinyTraining:
    """The same training as often as asked."""

    folder: Path
    family: str = "vidtok-kl"
    optimization: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    adversary: Mapping[str, Any] = field(default_factory=dict)
    joined: Literal["", "batches", "processes"] = ""
    """Whether a batch holds what otherwise two batches, or those of two processes, do."""
    repeats: bool = False
    """Whether all batches are the first one."""
    quiet_posterior: bool = False
    """Whether a VidTok's posterior starts with next to no variance, so that noise is no matter."""
    measures: bool = False
    """Whether validation measures the network; otherwise its figure is always 0."""

    @property
    def recipe(self) -> Recipe:
        """Two steps, but for what differs."""
        plan = Optimization(steps=2, warmup_steps=0, log_every=1, checkpoint_every=1, schedule="constant")
        return Recipe("tiny", "tests:objective", {}, optimization=replace(plan, **self.optimization))

    def clips(self, batch: int, process: int) -> Tensor:
        """A batch of one or two clips."""
        numbers = {"": [(batch, process)], "batches": [(2 * batch, 0), (2 * batch + 1, 0)]}
        numbers["processes"] = [(batch, 0), (batch, 1)]
        if self.repeats:
            numbers[""] = [(0, 0)]
        num_frames = {"vidtok-noncausal": 8, "cdt-small": 5, "cdt-base": 5}.get(self.family, 9)
        return torch.cat([clips(*number, num_frames=num_frames) for number in numbers[self.joined]])

    def run(self, **options: Any) -> TrainingResult:
        """Train in a folder of its own."""
        terms = patch_terms(**{"adaptive": not self.family.startswith("cdt"), **self.adversary})
        objective = build_objective(self.family, terms, **self.parameters)
        if self.quiet_posterior:
            conv = objective.model.encoder.conv_out.conv
            with torch.no_grad():
                conv.weight[len(conv.weight) // 2 :] = 0
                conv.bias[len(conv.bias) // 2 :] = -30

        def validate(step: int) -> dict[str, float]:
            if not self.measures:
                return {"psnr": 0.0}
            clip = self.clips(0, 99)
            # Draws on purpose: validation must not move the randomness of the training.
            error = objective.model.reconstruct(clip) - clip + 0 * torch.randn(1)
            return {"psnr": float(-10 * torch.log10(error.square().mean() / 4))}

        return train(self.recipe, objective, terms, self.clips, validate, self.folder, **options)

    def logged(self, name: str = "training") -> list[dict[str, float]]:
        """The rows of a log."""
        with (self.folder / f"{name}.csv").open() as file:
            return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]

    def state(self) -> dict[str, Any]:
        """The state in the checkpoint."""
        return torch.load(self.folder / "training.pt", weights_only=True)["state"]


class Killed(BaseException):
    """Stands for a signal: nothing may catch it."""


def kill_at(step: int) -> Callable[[Progress], None]:
    """What is called after every step, and kills the training after this one."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return on_progress
