"""The contract between a family of tokenizers and the trainer: what is optimised and by which loss.

A family writes one :class:`Objective`; the loop (:mod:`toklab.tokenizers.training.loop`) knows nothing else of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from .errors import TrainingError

PerceptualLoss = Callable[[Tensor, Tensor], Tensor]
"""(reconstruction, clip), both (B, 3, T, H, W) in [-1, 1], to a scalar. Handed in by whoever has its weights."""

AdversarialLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(reconstruction, clip, reconstruction loss, weight of the decoder's last layer) to a weighted scalar."""

Model = TypeVar("Model", bound=nn.Module)


class Objective(nn.Module, Generic[Model]):
    """The loss of a model on a clip, and which of its parameters it trains.

    The trainer hands in a model in training mode whose every parameter requires a gradient, and the objective freezes
    what it doesn't train. Its state dict is kept in checkpoints: what isn't part of it must follow from the step.
    """

    takes_adversarial: ClassVar[bool] = False
    """Whether the constructor takes ``adversarial``, an :data:`AdversarialLoss`, too; otherwise the adversarial term is
    part of ``perceptual``, and its weight can't be adaptive."""
    model: Model
    """The network whose state dict is the checkpoint."""

    @abstractmethod
    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """The loss terms of a batch.

        Args:
            clip: (B, 3, T, H, W) in [-1, 1], of a length and size that is legal for the model.
            step: optimizer steps done so far, for terms that start or decay with it.

        Returns:
            Scalars by name. ``total`` is minimised; the others are logged, detached or not.
        """

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """The parameters to optimise: those that require a gradient."""
        return (parameter for parameter in self.model.parameters() if parameter.requires_grad)

    def after_step(self, step: int) -> None:
        """Move what isn't learned by gradients, such as moving averages, once optimizer step ``step`` is done."""
        return

    def last_layer(self) -> Tensor:
        """The weight of the layer that makes the frames, whose gradients adaptive weights compare.

        Raises:
            TrainingError: if the objective names none.
        """
        raise TrainingError(f"{type(self).__name__} has no last layer for adaptive weights; set them to constant")

    def compiled_modules(self) -> Iterable[nn.Module]:
        """The modules that ``torch.compile`` makes kernels for, if the recipe asks for it: those that are called."""
        return _called_parts(self.model.children())


def _called_parts(modules: Iterable[nn.Module]) -> list[nn.Module]:
    """The modules that are called: a list or dict of modules stands for those in it."""
    parts: list[nn.Module] = []
    for module in modules:
        is_container = isinstance(module, nn.ModuleList | nn.ModuleDict)
        parts += _called_parts(module.children()) if is_container else [module]
    return parts
