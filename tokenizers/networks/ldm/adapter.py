"""What the adapters of ported autoencoders with Gaussian posteriors share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ...interface import Encoded, draw_noise
from ...spec import InferenceSettings, TokenizerSpec
from ...state_dict import load_checkpoint
from ...streaming import StreamingTokenizer
from ..quantizers.kl import gaussian_kl, split_moments


class PortedTokenizer(StreamingTokenizer):
    """A KL autoencoder. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them."""

    def __init__(self, spec: TokenizerSpec, settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        with torch.device("meta"):
            self.model = self._build()
        self._prepare()

    @abstractmethod
    def _build(self) -> nn.Module:
        """The network, on torch's current default device."""

    def _own_names(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A checkpoint's tensors under the names they have in the network."""
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of an official checkpoint, in float32 on the CPU, whatever else it holds.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        load_checkpoint(self.model, self._own_names(state), self.spec.name)
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by torch's rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = self._build()
        self.spec = replace(self.spec, weights=f"random (seed {seed}, torch's initialization)")
        self._prepare()

    def to(self, device: str | torch.device) -> PortedTokenizer:
        """Move the network to ``device``, in the precision of the settings."""
        self.model.to(device=device, dtype=self.dtype)
        return self

    def _prepare(self) -> None:
        self.model.eval().requires_grad_(False)
        self.model.to(dtype=self.dtype)

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x

    def _latents(self, moments: Tensor, generators: Sequence[torch.Generator] | None) -> Tensor:
        """The posterior's mean, or a sample of it where the settings say so; ``moments`` are (B, 2C, …)."""
        mean, log_variance = split_moments(moments)
        if self.settings.posterior == "mode":
            return mean
        return mean + torch.exp(0.5 * log_variance) * draw_noise(mean.shape, mean, generators)

    def _encoded(self, moments: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return Encoded(latents=self._latents(moments, generators), kl_nats=gaussian_kl(*split_moments(moments)))


def given_latents(encoded: Encoded) -> Tensor:
    """The latents of an encoding.

    Raises:
        TokenizerError: if it has none.
    """
    if encoded.latents is None:
        raise TokenizerError("a KL autoencoder decodes latents, and this encoding holds none")
    return encoded.latents


def check_agreement(spec: TokenizerSpec, built: Mapping[str, object]) -> None:
    """Raise :class:`TokenizerError` where the spec states another value than the parameters build."""
    stated = {name: getattr(spec, name) for name in built}
    wrong = [f"{name} {stated[name]}, not {value}" for name, value in built.items() if stated[name] != value]
    if wrong:
        raise TokenizerError(f"{spec.name}: the parameters build another model than the spec says: {'; '.join(wrong)}")
