"""The adversarial loss of a reconstruction, the loss of the discriminator, and LeCAM regularization."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.distributed import mean_over_processes
from .discriminators import DiscriminatorKind, build_discriminator
from .errors import TrainingError
from .gradients import sound_gradients

LECAM_DECAY = 0.999
"""Of the moving averages of logits, for each optimizer step."""
MAX_ADAPTIVE_WEIGHT = 1e4
SMALLEST_NORM = 1e-4
"""Added to the norm of the adversarial gradient before it divides."""

FLOAT16_HEADROOM = 8
"""The largest gradient of a value is brought to about 2 to the minus this, so that float16 holds the sum of many."""

DiscriminatorLoss = Literal["non-saturating", "hinge"]
GeneratorLogits = Literal["patch", "sample"]


class Adversary(nn.Module):
    """The generator's adversarial loss, callable as a term of the reconstruction loss, and the discriminator's own.

    The generator's is the non-saturating one (Goodfellow et al. 2014): softplus of minus the logit, the cross entropy
    with "real". LeCAM (Tseng et al. 2021, arXiv:2104.03310) ties the logits to moving averages of the opposite side's.
    The averages are in the state dict, and those of all processes.

    Args:
        width: channels of the discriminator's first layer.
        lecam_weight: weight of LeCAM; 0 leaves it out.
        discriminator: see :mod:`.discriminators`.
        num_layers: of a PatchGAN.
        loss: the discriminator's: ``non-saturating``: mean softplus(−real) + mean softplus(fake); ``hinge``: half of
            mean relu(1 − real) + mean relu(1 + fake).
        generator_logits: what the generator's loss is averaged over: every ``patch``, or the mean logit of every
            ``sample`` that the discriminator sees, a frame or a clip.
    """

    mean_real: Tensor
    mean_fake: Tensor

    def __init__(
        self,
        width: int = 16,
        lecam_weight: float = 0.001,
        *,
        discriminator: DiscriminatorKind = "small-3d",
        num_layers: int = 3,
        loss: DiscriminatorLoss = "non-saturating",
        generator_logits: GeneratorLogits = "patch",
    ):
        super().__init__()
        self.discriminator = build_discriminator(discriminator, width, num_layers)
        self.lecam_weight = lecam_weight
        self.loss: DiscriminatorLoss = loss
        self.generator_logits: GeneratorLogits = generator_logits
        self.batches_a_step = 1
        """How many batches share the step of the moving averages."""
        self.values: dict[str, Tensor] = {}
        """Figures of the last :meth:`discriminator_loss`: mean logits and LeCAM."""
        self.register_buffer("mean_real", torch.zeros(()))
        self.register_buffer("mean_fake", torch.zeros(()))
        self._pair: tuple[Tensor, Tensor] | None = None

    def forward(self, reconstruction: Tensor, clip: Tensor) -> Tensor:
        """The generator's loss of (B, 3, T, H, W); the pair is kept for :meth:`discriminator_loss`."""
        self._pair = reconstruction.detach(), clip
        # The weights are held still, so that the generator's backward pass leaves them no gradients.
        self.discriminator.requires_grad_(False)
        logits = self.discriminator(reconstruction).float()
        self.discriminator.requires_grad_(True)
        if self.generator_logits == "sample":
            logits = logits.flatten(1).mean(1)
        return F.softplus(-logits).mean()

    def discriminator_loss(self) -> Tensor | None:
        """The discriminator's loss on the last pair, once; ``None`` where there was none since."""
        if self._pair is None:
            return None
        reconstruction, clip = self._pair
        self._pair = None
        fake, real = self.discriminator(reconstruction).float(), self.discriminator(clip).float()
        with torch.no_grad():
            means = mean_over_processes(torch.stack([real.mean(), fake.mean()]))
            share = (1 - LECAM_DECAY) / self.batches_a_step
            self.mean_real.lerp_(means[0], share)
            self.mean_fake.lerp_(means[1], share)
        lecam = F.relu(real - self.mean_fake).square().mean() + F.relu(self.mean_real - fake).square().mean()
        self.values = {"logit_real": real.detach().mean(), "logit_fake": fake.detach().mean(), "lecam": lecam.detach()}
        if self.loss == "hinge":
            loss = (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
        else:
            loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        return loss + self.lecam_weight * lecam


def adaptive_weight(error: Tensor, adversarial: Tensor, reconstruction: Tensor, last_layer: Tensor) -> Tensor:
    """By what the adversarial loss is multiplied to pull the decoder's last layer as hard as the reconstruction loss.

    min(|∂ error| / (|∂ adversarial| + 1e-4), 1e4) with the gradients of all processes together, a scalar without
    gradient (Esser et al. 2021, arXiv:2012.09841, equation 7, with VidTok's constants).

    Args:
        error: the reconstruction loss, a scalar.
        adversarial: the generator's loss, a scalar.
        reconstruction: (B, 3, T, H, W) float32, which both losses follow from.
        last_layer: weight of the layer that makes the frames.

    Raises:
        TrainingError: if the last layer isn't trained.
    """
    if not last_layer.requires_grad:
        raise TrainingError(
            "adversarial_weighting = adaptive needs a decoder whose last layer is trained; set it to constant"
        )
    # An average over patches: without a factor, the gradients of single values are too small for float16.
    scale = 2.0 ** round(math.log2(reconstruction[0, :, 0].numel()))
    norms = []
    for loss, factor in ((error, 1.0), (adversarial, scale)):
        (wanted,) = torch.autograd.grad(loss * factor, reconstruction, retain_graph=True)
        # Powers of two leave all digits as they are.
        second = torch.ldexp(torch.ones_like(loss), -FLOAT16_HEADROOM - torch.frexp(wanted.abs().max()).exponent)
        with sound_gradients(bfloat16_on_cpu=torch.is_autocast_enabled("cpu")):
            (gradient,) = torch.autograd.grad(reconstruction, last_layer, wanted * second, retain_graph=True)
        with torch.no_grad():
            norms.append(mean_over_processes(gradient.float() / (factor * second)).norm())
    return (norms[0] / (norms[1] + SMALLEST_NORM)).clamp(0, MAX_ADAPTIVE_WEIGHT)
