"""An adversarial loss: a small 3-D patch discriminator, the non-saturating losses, and LeCAM regularization."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LECAM_DECAY = 0.999
SLOPE = 0.2


class PatchDiscriminator(nn.Sequential):
    """Logits of overlapping patches of a clip (Isola et al. 2017, arXiv:1611.07004, in three dimensions).

    (B, 3, T, H, W) to (B, 1, about T/4, H/8, W/8). No norms: they would tie the clips of a batch together.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 16):
        super().__init__(
            nn.Conv3d(3, width, 3, (1, 2, 2), 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(width, 2 * width, 3, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(2 * width, 4 * width, 3, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv3d(4 * width, 1, 3, 1, 1),
        )


class Adversary(nn.Module):
    """The generator's adversarial loss, callable as a term of the reconstruction loss, and the discriminator's own.

    The losses are the non-saturating ones (Goodfellow et al. 2014): softplus of minus the logits of what should look
    real. LeCAM (Tseng et al. 2021, arXiv:2104.03310) ties the logits to moving averages of the opposite side's.

    Args:
        width: see :class:`PatchDiscriminator`.
        lecam_weight: weight of LeCAM; 0 leaves it out.
    """

    mean_real: Tensor
    mean_fake: Tensor

    def __init__(self, width: int = 16, lecam_weight: float = 0.001):
        super().__init__()
        self.discriminator = PatchDiscriminator(width)
        self.lecam_weight = lecam_weight
        self.register_buffer("mean_real", torch.zeros(()))
        self.register_buffer("mean_fake", torch.zeros(()))
        self._pair: tuple[Tensor, Tensor] | None = None

    def forward(self, reconstruction: Tensor, clip: Tensor) -> Tensor:
        """The generator's loss; the pair is kept for :meth:`discriminator_loss`."""
        self._pair = reconstruction.detach(), clip
        # The weights are held still, so that the generator's backward pass leaves them no gradients.
        self.discriminator.requires_grad_(False)
        loss = F.softplus(-self.discriminator(reconstruction)).mean()
        self.discriminator.requires_grad_(True)
        return loss

    def discriminator_loss(self) -> Tensor | None:
        """The discriminator's loss on the last pair, once; ``None`` where there was none since."""
        if self._pair is None:
            return None
        reconstruction, clip = self._pair
        self._pair = None
        fake, real = self.discriminator(reconstruction), self.discriminator(clip)
        with torch.no_grad():
            self.mean_real.lerp_(real.mean(), 1 - LECAM_DECAY)
            self.mean_fake.lerp_(fake.mean(), 1 - LECAM_DECAY)
        lecam = F.relu(real - self.mean_fake).square().mean() + F.relu(self.mean_real - fake).square().mean()
        return F.softplus(-real).mean() + F.softplus(fake).mean() + self.lecam_weight * lecam
