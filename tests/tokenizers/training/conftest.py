"""A training of a few parameters and a few milliseconds a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from toklab.tokenizers.training.adversary import Adversary
from toklab.tokenizers.training.loop import BestWeights, ClipSource, Progress, TrainingResult, train
from toklab.tokenizers.training.losses import ReconstructionTerms, WeightedLoss, multi_scale_ssim_loss
from toklab.tokenizers.training.recipe import Optimization, Recipe, Terms
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.model import VidTokModel
from toklab.tokenizers.vidtok.objective import VidTokObjective
from torch import Tensor

STEPS = 6


def batch_of_step(step: int, process: int) -> Tensor:
    """Smooth clips that follow from the step."""
    generator = torch.Generator().manual_seed(1000 * process + step)
    coarse = torch.rand(1, 3, 2, 2, 2, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (5, 16, 16), mode="trilinear")


@dataclass
class TinyTraining:
    """Builds the same training as often as asked."""

    folder: Path
    regularizer: Mapping[str, Any]
    adversarial: bool = False
    steps: int = STEPS
    optimization: Mapping[str, Any] | None = None
    clips: ClipSource = batch_of_step
    best: BestWeights | None = None

    def objective(self, terms: ReconstructionTerms | None = None) -> VidTokObjective:
        """A seeded objective on a network of 8 channels."""
        torch.manual_seed(1)
        double_z = self.regularizer["kind"] == "kl"
        parameters = {"ch": 8, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "z_channels": 4, "double_z": double_z}
        config = VidTokConfig.from_parameters(
            {**parameters, "time_downsample_factor": 4, "regularizer": self.regularizer}
        )
        return VidTokObjective(VidTokModel(config), perceptual=terms.forward if terms else None)

    def run(
        self, *, resume: bool = False, name: str = "run", on_progress: Callable[[Progress], None] | None = None
    ) -> TrainingResult:
        """Train in a folder of its own."""
        values = {"steps": self.steps, "checkpoint_every": 2, "validate_every": 3, "log_every": 1, "warmup_steps": 2}
        recipe = Recipe(
            "tiny",
            "tests:objective",
            {},
            terms=Terms(),
            optimization=Optimization(**{**values, **(self.optimization or {})}),
        )
        found = {"ssim": WeightedLoss(multi_scale_ssim_loss, 0.1)}
        if self.adversarial:
            torch.manual_seed(2)
            found["adversarial"] = WeightedLoss(Adversary(4), 0.1, start=1)
        terms = ReconstructionTerms(found)
        objective = self.objective(terms)

        def validate(step: int) -> dict[str, float]:
            clip = batch_of_step(-1, 0)
            # Draws on purpose: validation must not move the randomness of the training.
            return {"psnr": float(-(objective.model.reconstruct(clip) - clip + 0 * torch.randn(1)).square().mean())}

        return train(
            recipe,
            objective,
            terms,
            self.clips,
            validate,
            self.folder / name,
            resume=resume,
            best=self.best,
            on_progress=on_progress,
        )


@pytest.fixture
def tiny_training(tmp_path: Path) -> Callable[..., TinyTraining]:
    """Builds tiny trainings below the test's folder; needs Lightning Fabric."""
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")

    def build(regularizer: Mapping[str, Any] | None = None, **options: Any) -> TinyTraining:
        return TinyTraining(tmp_path, regularizer or {"kind": "kl"}, **options)

    return build
