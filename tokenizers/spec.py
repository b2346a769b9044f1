"""What a tokenizer is, and how it is run: the part of its contract that needs no torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from .errors import TokenizerError, did_you_mean

Regularizer = Literal["kl", "fsq", "lfq", "vq", "ae", "codec", "resize"]
REGULARIZERS: tuple[Regularizer, ...] = get_args(Regularizer)


@dataclass(frozen=True)
class FrameRule:
    """Legal frame counts: ``offset + multiple * n`` for n = 0, 1, …, the smallest of them at least 1."""

    multiple: int = 1
    offset: int = 0

    def next_legal(self, num_frames: int) -> int:
        """The smallest legal count that is at least ``num_frames``."""
        steps = max(0, math.ceil((num_frames - self.offset) / self.multiple))
        legal = self.offset + steps * self.multiple
        return legal if legal >= 1 else legal + self.multiple

    def is_legal(self, num_frames: int) -> bool:
        """Whether a clip of ``num_frames`` frames needs no padding."""
        return self.next_legal(num_frames) == num_frames


USUAL_COMPRESSION = (4, 8, 8)
"""In time, height and width: comparison groups don't name it."""


@dataclass(frozen=True)
class TokenizerSpec:
    """What a tokenizer is, known without its weights."""

    name: str
    """Unique name, as on the command line."""
    family: str
    """The system it belongs to, such as ``vidtok``."""
    title: str
    """The name a paper's table prints, such as ``VidTok``."""
    regularizer: Regularizer
    causal: bool
    """Causal tokenizers see windows of chunk + 1 frames, the others of chunk frames."""
    temporal_compression: int
    spatial_compression: int
    latent_channels: int | None = None
    """Channels of a continuous latent, or dimensions of a quantized one; ``None`` for codecs."""
    codebook_size: int | None = None
    """Codes of one codebook; ``None`` for continuous tokenizers."""
    num_codebooks: int = 1
    codebook_levels: tuple[int, ...] = ()
    """Levels of a scalar quantizer, dimension by dimension (first is least significant in the index)."""
    frame_rule: FrameRule = field(default_factory=FrameRule)
    size_multiple: int = 1
    """Heights and widths must be multiples of this."""
    licence: str = ""
    citation: str = ""
    weights: str = "none"
    """Where the weights come from, in words for the reader: ``official …``, ``random (seed 0)``, ``none``."""
    group: str = ""
    """What it is compared with, where that doesn't follow from regularizer, channels and compression, such as
    ``continuous-8-16x``; empty: it follows."""

    @property
    def is_discrete(self) -> bool:
        """Whether codes come out of the encoder."""
        return self.codebook_size is not None

    @property
    def comparison_group(self) -> str:
        """``discrete``, ``continuous-4``, ``continuous-16-4x16x16``, …: what it may fairly be ranked with.

        The compression (time, height, width) stands in it unless it is 4×8×8, which most tokenizers have.
        """
        if self.group:
            return self.group
        kind = "discrete" if self.is_discrete else f"continuous-{self.latent_channels}"
        compression = (self.temporal_compression, self.spatial_compression, self.spatial_compression)
        return kind if compression == USUAL_COMPRESSION else f"{kind}-{'x'.join(map(str, compression))}"

    @property
    def regularizer_label(self) -> str:
        """As in Table 1 of the VidTok paper: ``KL - 4chn``, ``FSQ - 32,768``, or the bare regularizer."""
        if self.codebook_size is not None:
            return f"{self.regularizer.upper()} - {self.codebook_size:,}"
        if self.regularizer in ("kl", "ae"):
            return f"{self.regularizer.upper()} - {self.latent_channels}chn"
        return self.regularizer


GENERAL_SETTINGS = frozenset({"posterior", "seed", "precision"})
"""Inference settings that every tokenizer takes, those without noise or weights too."""

NETWORK_SETTINGS = frozenset({"autocast", "compile", "memory_format"})
"""Inference settings of networks that the base class carries out, for the families that say so."""


@dataclass(frozen=True)
class InferenceSettings:
    """How a model is run. Part of a cell's identity; every field's default is left out of the label.

    Raises:
        TokenizerError: if a value is none of those that its field takes, or has no effect without another one.
    """

    posterior: Literal["mode", "sample"] = "mode"
    """``mode``: the mean of a KL posterior; ``sample``: a draw from it. Without effect on other regularizers."""
    seed: int = 0
    """Seeds the noise of every window, together with the clip's identity and the window's index."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Data type of weights and activations."""
    chunk_frames: int = 0
    """Frames that go through the model at a time, a multiple of its temporal compression; 0: the whole clip.

    Models that code chunks on their own, each with a first frame, take one more than a multiple.
    Posteriors are sampled chunk by chunk, so their noise isn't that of the whole clip.
    """
    chunk_mode: Literal["exact", "official"] = "exact"
    """``exact``: chunks give what the whole clip gives; ``official``: what the model's own code gives in chunks."""
    chunk_overlap: int = 0
    """Frames that neighbouring chunks share and are faded into each other over, for models that code them apart."""
    tile_size: int = 0
    """Pixels of the square tiles that frames go through the model in, a multiple of its spatial compression; 0: whole.

    The result differs from that of whole frames: see :func:`toklab.tokenizers.tiling.tiling_error`.
    """
    tile_overlap: int = 0
    """Pixels over which neighbouring tiles are blended, a multiple of the spatial compression; half a tile at most."""
    steps: int = 1
    """Denoising steps of decoders that sample; the noise they start from follows from ``seed``."""
    eta: float = 0.0
    """Fresh noise in each denoising step but the last: 0 none (DDIM), 1 that of DDPM."""
    tile_mode: Literal["blend", "layers"] = "blend"
    """``blend``: tiles go through the whole model and are blended; ``layers``: every layer works tile by tile.

    ``layers`` gives what whole frames give, to rounding, and takes no overlap.
    """

    autocast: Literal["off", "bfloat16", "float16"] = "off"
    """Data type that torch's automatic mixed precision computes in where it may; weights stay in float32."""
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = "off"
    """Mode in which ``torch.compile`` compiles the networks: at the first clip of each shape, which takes minutes."""
    memory_format: Literal["contiguous", "channels_last_3d"] = "contiguous"
    """Order in which the weights and activations of 3-D convolutions lie in memory."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if (allowed := get_args(hint)) and getattr(self, name) not in allowed:
                raise TokenizerError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        for name in ("chunk_frames", "chunk_overlap", "tile_size", "tile_overlap"):
            if getattr(self, name) < 0:
                raise TokenizerError(f"{name} can't be negative, but is {getattr(self, name)}")
        if self.steps < 1:
            raise TokenizerError(f"steps must be at least 1, but is {self.steps}")
        if not 0 <= self.eta <= 1:
            raise TokenizerError(f"eta must lie between 0 and 1, but is {self.eta}")
        if self.eta and self.steps == 1:
            raise TokenizerError(f"eta={self.eta} takes more than one step, such as steps=4")
        if self.chunk_mode != "exact" and not self.chunk_frames:
            raise TokenizerError(f"chunk_mode={self.chunk_mode} takes chunk_frames, such as chunk_frames=16")
        if 2 * self.chunk_overlap > self.chunk_frames:
            raise TokenizerError(
                f"chunk_overlap={self.chunk_overlap} is more than half of chunk_frames={self.chunk_frames}; "
                "make it smaller"
            )
        if self.autocast != "off" and self.precision != "float32":
            raise TokenizerError(f"autocast={self.autocast} takes weights in float32, not precision={self.precision}")
        if self.tile_mode == "layers" and (not self.tile_size or self.tile_overlap):
            raise TokenizerError("tile_mode=layers takes tile_size, such as tile_size=256, and no tile_overlap")
        if 2 * self.tile_overlap > self.tile_size:
            raise TokenizerError(
                f"tile_overlap={self.tile_overlap} is more than half of tile_size={self.tile_size}; make it smaller"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> InferenceSettings:
        """Build from names and values (strings are converted); raise :class:`TokenizerError` on an unknown name."""
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            near = did_you_mean(unknown[0], known)
            raise TokenizerError(f"unknown inference setting {', '.join(unknown)}{near}; there are: {', '.join(known)}")
        return cls(**{name: _converted(name, value, type(known[name].default)) for name, value in values.items()})

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, as plain values."""
        return asdict(self)

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the fields that differ from the default."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != f.default)

    @property
    def hash(self) -> str:
        """Canonical hash: the first 12 hex digits of the SHA-256 of the sorted JSON.

        Beside the :data:`GENERAL_SETTINGS` only fields that differ from their default count, so that a new field
        leaves the identity of earlier runs as it is.
        """
        counted = {name: getattr(self, name) for name in {*GENERAL_SETTINGS, *self.changed}}
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def of_work(self) -> InferenceSettings:
        """These as far as they decide what a model computes and how often: steps, chunks, tiles.

        Seed, posterior, data types, compilation and memory format don't: they are at their default.
        """
        others = GENERAL_SETTINGS | NETWORK_SETTINGS
        return replace(self, **{f.name: f.default for f in fields(self) if f.name in others})

    @property
    def label(self) -> str:
        """The fields that differ from the default, ``name=value`` joined by commas; empty if none."""
        return ",".join(f"{name}={getattr(self, name)}" for name in self.changed)


def _converted(name: str, value: Any, kind: type) -> Any:
    words = {int: "a whole number", float: "a finite number"}.get(kind, "text")
    try:
        converted = kind(value)
        # int() cuts off what isn't whole, and neither infinity nor NaN is a setting.
        if isinstance(value, float) and isinstance(converted, int) and converted != value:
            raise ValueError
        if isinstance(converted, float) and not math.isfinite(converted):
            raise ValueError
        return converted
    except (TypeError, ValueError, OverflowError):
        raise TokenizerError(f"the setting {name} must be {words}, not {value!r}") from None
