"""The constructor parameters of a VidTok model, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from ..card import config_from
from ..errors import TokenizerError
from ..networks.quantizers.factory import build_quantizer
from ..networks.quantizers.interface import Quantizer
from ..networks.quantizers.product import ProductQuantizer

Variant = Literal["causal", "causal_v1_1", "noncausal"]
Architecture = Literal["vidtok", "fully_3d", "without_alphablender", "without_3d"]
NormType = Literal["layernorm", "groupnorm"]
InitPadMode = Literal["replicate", "constant", "reflect"]
InterpolationMode = Literal["nearest", "trilinear"]


@dataclass(frozen=True)
class RegularizerConfig:
    """Which regularizer stands between encoder and decoder."""

    kind: str = "kl"
    """Its name in :data:`toklab.tokenizers.networks.quantizers.factory.QUANTIZERS`."""
    levels: tuple[int, ...] = ()
    """Levels of each dimension of a scalar quantizer."""
    dim: int | None = None
    """Channels of the features, where the regularizer doesn't know them (VQ) or they differ from its dimensions."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Its other constructor parameters: sizes of LFQ and VQ, weights of losses."""

    def build(self) -> Quantizer:
        """The regularizer itself.

        Raises:
            TokenizerError: if there is none of this name, or its parameters are wrong.
        """
        given: dict[str, Any] = dict(self.options)
        if self.levels:
            given["levels"] = self.levels
        if self.dim is not None:
            given["dim"] = self.dim
        try:
            return build_quantizer(self.kind, **given)
        except ValueError as error:
            raise TokenizerError(f"VidTok regularizer: {error}") from error


@dataclass(frozen=True)
class VidTokConfig:
    """A VidTok network. Levels count from 0, the full resolution, to ``len(ch_mult) - 1``."""

    z_channels: int
    """Channels of the latent."""
    ch_mult: tuple[int, ...]
    """Width of each level, in multiples of ``ch``."""
    time_downsample_factor: int
    """Frames a latent frame stands for."""
    variant: Variant = "causal"
    """``causal``: v1.0, zeros before the clip; ``causal_v1_1``: its first frame repeated before it; ``noncausal``."""
    architecture: Architecture = "vidtok"
    """The released networks' parts, or those of an ablation in the paper's Table 2; these are ``causal`` alone."""
    double_z: bool = True
    """Whether the encoder gives two numbers a latent channel (mean and log-variance)."""
    in_channels: int = 3
    out_ch: int = 3
    ch: int = 128
    """Width of the finest level."""
    num_res_blocks: int = 2
    """Spatio-temporal blocks an encoder level; a decoder level has one more."""
    dropout: float = 0.0
    """Probability inside residual blocks, in training."""
    use_checkpoint: bool = False
    """Whether training recomputes residual blocks in the backward pass instead of keeping their activations."""
    norm_type: NormType = "layernorm"
    init_pad_mode: InitPadMode = "replicate"
    """What causal encoders put before a clip whose length isn't a multiple of ``time_downsample_factor``."""
    interpolation_mode: InterpolationMode = "nearest"
    """Temporal upsampling of v1.1 decoders."""
    fix_encoder: bool = False
    """Whether training leaves the encoder as it is."""
    fix_decoder: bool = False
    """Whether training leaves the decoder as it is."""
    spatial_ds: tuple[int, ...] = ()
    """Encoder levels that end by halving height and width; empty: the official default, see :meth:`from_parameters`."""
    spatial_us: tuple[int, ...] = ()
    """Decoder levels that end by doubling height and width."""
    tempo_ds: tuple[int, ...] = ()
    """Encoder levels that also halve time, if they halve space."""
    tempo_us: tuple[int, ...] = ()
    """Decoder levels that also double time, if they double space."""
    regularizer: RegularizerConfig = field(default_factory=RegularizerConfig)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> VidTokConfig:
        """Build from a card's parameters.

        Without level sets, space changes between all levels, and time after the two coarsest of these changes in
        the encoder and at levels 1 and 2 in the decoder. Non-causal networks always do so.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        regularizer = _regularizer(parameters.get("regularizer", {"kind": "kl"}))
        config = config_from(cls, {**parameters, "regularizer": regularizer}, "VidTok")
        num_levels = len(config.ch_mult)
        defaults = {
            "spatial_ds": tuple(range(num_levels - 1)),
            "spatial_us": tuple(range(1, num_levels)),
            "tempo_ds": (num_levels - 2, num_levels - 3),
            "tempo_us": (1, 2),
        }
        missing = {
            name: levels
            for name, levels in defaults.items()
            if config.variant == "noncausal" or not getattr(config, name)
        }
        config = replace(config, **missing)
        config._check()
        return config

    def _check(self) -> None:
        halvings = len(set(self.spatial_ds) & set(self.tempo_ds))
        doublings = len(set(self.spatial_us) & set(self.tempo_us))
        if not 2**halvings == 2**doublings == self.time_downsample_factor:
            raise TokenizerError(
                f"VidTok parameters: {halvings} temporal halvings and {doublings} doublings "
                f"don't give time_downsample_factor {self.time_downsample_factor}"
            )
        if self.architecture != "vidtok" and self.variant != "causal":
            raise TokenizerError(f"VidTok parameters: architecture {self.architecture} needs variant causal")
        if len(self.spatial_ds) != len(self.spatial_us):
            raise TokenizerError("VidTok parameters: spatial_ds and spatial_us need as many levels")

    @property
    def causal(self) -> bool:
        """Whether no output depends on later frames of the input."""
        return self.variant != "noncausal"

    @property
    def spatial_factor(self) -> int:
        """Pixels along an edge that a latent position stands for."""
        return 2 ** len(self.spatial_ds)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.ch * multiple for multiple in self.ch_mult)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        with torch.device("meta"):
            quantizer = self.regularizer.build()
        return {
            "regularizer": self.regularizer.kind,
            "causal": self.causal,
            "temporal_compression": self.time_downsample_factor,
            "spatial_compression": self.spatial_factor,
            "latent_channels": self.z_channels,
            "codebook_levels": quantizer.levels if isinstance(quantizer, ProductQuantizer) else (),
            "codebook_size": next(iter(quantizer.codebook_sizes), None),
        }


def _regularizer(values: RegularizerConfig | Mapping[str, Any]) -> RegularizerConfig:
    if isinstance(values, RegularizerConfig):
        return values
    if not isinstance(values, Mapping):
        raise TokenizerError(
            f"VidTok parameters: regularizer must be a table such as {{ kind = 'kl' }}, not {values!r}"
        )
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    own = {name: given.pop(name) for name in ("kind", "levels", "dim") if name in given}
    config = config_from(RegularizerConfig, {**own, "options": given}, "VidTok regularizer")
    with torch.device("meta"):
        config.build()
    return config
