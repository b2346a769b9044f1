"""What the adapters of trained networks share: building, weights, precision, and the step from features to codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast

import torch
from torch import Tensor, nn

from .errors import TokenizerError
from .interface import Encoded, VideoTokenizer, draw_noise
from .networks.quantizers.interface import Quantization, Quantizer
from .networks.quantizers.kl import KLQuantizer
from .spec import NETWORK_SETTINGS, InferenceSettings, TokenizerSpec

DROPPED_PREFIXES = ("loss.", "model_ema.")
"""Children of a training engine that reconstruct nothing: the loss with its discriminator, and averaged weights."""
COMPILED_PREFIX = "_orig_mod."
"""What ``torch.compile`` puts into the names of a compiled module's tensors."""
PARALLEL_PREFIX = "module."
"""What distributed training puts before the names of a network's tensors."""
NAMES_SHOWN = 3
"""Tensors of each kind that an error names."""


class NetworkConfig(Protocol):
    """The constructor parameters of a family's networks."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Build from a card's parameters; raises :class:`TokenizerError` where they are wrong."""
        ...

    @property
    def spec_fields(self) -> Mapping[str, Any]:
        """What the network is, by the fields of :class:`TokenizerSpec` that follow from its parameters."""
        ...


Config = TypeVar("Config", bound=NetworkConfig)
Network = TypeVar("Network", bound=nn.Module)


class NetworkTokenizer(VideoTokenizer, Generic[Config, Network]):
    """A tokenizer with one network. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Subclasses name the config and the network, its modules by role, and how their checkpoints are to be read.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, those of :attr:`config_type`.
        settings: how it is run.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or a setting isn't supported.
    """

    config_type: ClassVar[type[NetworkConfig]]
    """The class of :attr:`config`."""
    supported_network_settings: ClassVar[frozenset[str]] = NETWORK_SETTINGS

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.config = cast("Config", self.config_type.from_parameters(parameters))
        check_agreement(spec, self.config.spec_fields)
        with torch.device("meta"):
            self.model: Network = self._build()
        self._prepare()

    @abstractmethod
    def _build(self) -> Network:
        """The network, on torch's current default device, its weights drawn from torch's default generator."""

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """The networks by role: ``encoder``, ``decoder``, and ``regularizer`` where it is a module of its own."""

    @property
    def regularizer(self) -> Quantizer:
        """What stands between encoder and decoder: a Gaussian posterior, unless a subclass says otherwise."""
        return KLQuantizer()

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The network's tensors of an official checkpoint, under the names that they have in the network."""
        return checkpoint

    def _set_precision(self) -> None:
        """Bring the network's weights to :attr:`dtype`."""
        self.model.to(dtype=self.dtype)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of an official checkpoint, in float32 on the CPU, whatever else it holds of the training.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        assign_state(self.model, without_engine(self._own_state(state)), self.spec.name)
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by the network's rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = self._build()
        self.spec = replace(self.spec, weights=f"random (seed {seed})")
        self._prepare()

    def to(self, device: str | torch.device) -> VideoTokenizer:
        """Move the network to ``device``; it has the precision of the settings already."""
        self.model.to(device)
        self._lay_out_and_compile()
        return self

    def _prepare(self) -> None:
        """Make a new network, or new weights, ready to measure."""
        self.model.eval().requires_grad_(False)
        self._set_precision()

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x

    def _quantized(self, features: Tensor, generators: Sequence[torch.Generator] | None) -> Quantization:
        """Features (B, F, t, h, w) through the regularizer; posteriors are sampled where the settings say so.

        Every feature has a nearest code, one that isn't finite too. There the latents are NaN, so that the
        reconstruction shows that the network is broken.
        """
        noise = None
        if isinstance(self.regularizer, KLQuantizer) and self.settings.posterior == "sample":
            batch_size, channels, *grid = features.shape
            noise = draw_noise((batch_size, channels // 2, *grid), features, generators)
        found = self.regularizer(features, noise)
        if not found.codes:
            return found
        broken = ~features.isfinite().all(1, keepdim=True)
        return replace(found, latents=found.latents.masked_fill(broken, torch.nan))

    def _encoded(self, features: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        """The encoding of features (B, F, t, h, w); as :meth:`_quantized`."""
        quantization = self._quantized(features, generators)
        return Encoded(
            latents=quantization.latents,
            codes=quantization.codes,
            kl_nats=quantization.kl_nats,
            codebook_sizes=self.regularizer.codebook_sizes,
        )

    def _latents(self, encoded: Encoded) -> Tensor:
        """The latents (B, C, t, h, w) of an encoding, in its data type, or those that its codes stand for, in float32.

        Raises:
            TokenizerError: if it has neither, or there are no weights yet.
        """
        if encoded.latents is not None:
            return self._with_weights(encoded.latents)
        if not encoded.codes:
            raise TokenizerError(f"{self.spec.name} decodes latents or codes, and this encoding has none")
        return self.regularizer.latents_of([self._with_weights(codes) for codes in encoded.codes])


def check_agreement(spec: TokenizerSpec, built: Mapping[str, Any]) -> None:
    """Raise :class:`TokenizerError` where the spec says another value than that of the network, ``built``."""
    said = {name: getattr(spec, name) for name in built}
    wrong = [f"{name} {said[name]}, not {value}" for name, value in built.items() if said[name] != value]
    if wrong:
        raise TokenizerError(f"{spec.name}: the parameters build another model than the spec says: {'; '.join(wrong)}")


def without_engine(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a training engine's checkpoint that are the network's, under names without ``torch.compile``."""
    return {
        key.replace(COMPILED_PREFIX, ""): value
        for key, value in checkpoint.items()
        if not key.startswith(DROPPED_PREFIXES)
    }


def without_parallel(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names that they have without distributed training."""
    return {key.removeprefix(PARALLEL_PREFIX): value for key, value in checkpoint.items()}


def assign_state(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Replace every weight of ``model``, also one built on the meta device, by that in ``state``, in float32.

    Args:
        model: the network.
        state: exactly its tensors, by name.
        name: of the tokenizer, for the message.

    Raises:
        TokenizerError: naming tensors that are missing, unexpected or of another shape, if they are another model's.
    """
    expected = model.state_dict()
    problems = {
        "missing": sorted(set(expected) - set(state)),
        "unexpected": sorted(set(state) - set(expected)),
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
            for key, value in expected.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    if any(problems.values()):
        listed = [f"{len(names)} {what} ({_some(names)})" for what, names in problems.items() if names]
        raise TokenizerError(f"{name}: the checkpoint is of another model: tensors {'; '.join(listed)}")
    converted = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    model.load_state_dict(converted, assign=True)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
