"""What a progressive tokenizer is trained on: reconstruction and the divergence of its posterior."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..networks.magvit2.blocks import ResidualBlock
from ..networks.quantizers.kl import posterior_noise
from ..training.objective import AdversarialLoss, Objective, PerceptualLoss
from ..training.reconstruction import ReconstructionForm, ReconstructionLoss
from .model import LevelledModel


class ProgressiveObjective(Objective):
    """Mean absolute error plus the KL divergence of the posterior; a perceptual and an adversarial term if given.

    Of a grown model the last level alone is trained, unless ``train_base``; those below stay as they are, in evaluation
    mode. Where neither weights nor input need a gradient, as in the passes of the frozen encoder, torch keeps no
    activations.

    Args:
        model: of either architecture and any ratio.
        kl_weight: weight of the divergence, in nats averaged over the latent's values.
        perceptual: added to the absolute error, if given.
        perceptual_weight: its weight.
        adversarial: added to the reconstruction loss, if given; it brings its weight.
        reconstruction: see :class:`ReconstructionLoss`.
        train_base: whether the levels below the last are trained too, an ablation. Their own bottlenecks, which the
            last level doesn't use, stay; lower ratios of the weights are then of no use.
    """

    takes_adversarial = True
    model: LevelledModel

    def __init__(
        self,
        model: LevelledModel,
        *,
        kl_weight: float = 1e-6,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 0.1,
        adversarial: AdversarialLoss | None = None,
        reconstruction: ReconstructionForm = "mean",
        train_base: bool = False,
    ):
        super().__init__()
        self.model = model
        self.kl_weight = kl_weight
        self.reconstruction_loss = ReconstructionLoss(
            reconstruction, perceptual=perceptual, perceptual_weight=perceptual_weight, adversarial=adversarial
        )
        self._frozen = list(model.lower_bottlenecks() if train_base else model.frozen_modules())
        for module in self._frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> ProgressiveObjective:
        """As torch's, but frozen levels stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """The terms of :class:`ReconstructionLoss` and ``kl`` of (B, 3, 1 + n · ratio, H, W); see :class:`Objective`.

        Latents are drawn from the posterior.
        """
        moments = self.model.moments(clip)
        noise = posterior_noise(moments.chunk(2, dim=1)[0])
        quantization = self.model.regularization(moments, noise)
        assert quantization.kl_nats is not None
        reconstruction = self.model.decode(quantization.latents)
        terms = self.reconstruction_loss(reconstruction, clip, self.last_layer())
        terms["kl"] = quantization.kl_nats.mean() / quantization.latents[0].numel()
        total = terms.pop("total") + self.kl_weight * terms["kl"]
        return {"total": total} | {name: term.detach() for name, term in terms.items()}

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Those of the model that require a gradient, and the learned variance."""
        yield from super().trained_parameters()
        yield from self.reconstruction_loss.parameters()

    def last_layer(self) -> Tensor:
        """Of the base's decoder, which is frozen once the model has grown."""
        return self.model.base.decoder.conv_out.conv_1.weight

    def compiled_modules(self) -> Iterable[nn.Module]:
        """The residual blocks: the networks around them aren't called as a whole."""
        return [module for module in self.model.modules() if isinstance(module, ResidualBlock)]
