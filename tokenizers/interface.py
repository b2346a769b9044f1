"""The contract of a video tokenizer: a spec, an encoder and a decoder.

This module is all that the author of an adapter reads. Subclass :class:`VideoTokenizer`, give it a
:class:`TokenizerSpec`, and write ``_encode`` and ``_decode``; the public ``encode`` and ``decode`` check what goes in
and what comes out, pad illegal frame counts and sizes by the spec's rules, and crop them back.

Layout everywhere ``(B, C, T, H, W)``, RGB, float in [-1, 1].
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .errors import CheckpointUnavailable, TokenizerError
from .spec import GENERAL_SETTINGS, NETWORK_SETTINGS, FrameRule, InferenceSettings, Regularizer, TokenizerSpec
from .trust.weight_files import load_state

__all__ = [
    "GENERAL_SETTINGS",
    "NETWORK_SETTINGS",
    "STORED_BITS_PER_LATENT_VALUE",
    "BitsConvention",
    "BitstreamFacts",
    "CheckpointUnavailable",
    "Encoded",
    "FrameRule",
    "InferenceSettings",
    "Regularizer",
    "TokenizerError",
    "TokenizerSpec",
    "VideoTokenizer",
    "draw_noise",
    "draw_seeds",
    "pad_frames",
]

BitsConvention = Literal["codes", "stored-16", "bitstream"]

STORED_BITS_PER_LATENT_VALUE = 16
"""Continuous latents count as stored in 16-bit floats (convention ``stored-16``)."""

SEED_BOUND = 2**63 - 1


@dataclass(frozen=True)
class BitstreamFacts:
    """What is to be known of a codec's stream beside its bytes."""

    target_bits: float
    """Bits that the stream should take."""
    off_target: str = ""
    """Why it takes others, by more than the codec's tolerance; empty if it doesn't."""
    container_bytes: int = 0
    """Bytes that only delimit the frames, where the codec has no elementary stream; they don't count as bits."""
    encoder: str = ""
    """Encoder, its preset and version."""


@dataclass(frozen=True)
class Encoded:
    """What an encoder gives: a latent, codes, or a bitstream, for each clip of a batch."""

    latents: Tensor | None = None
    """(B, C, t, h, w): what the decoder receives; ``None`` for codecs."""
    codes: tuple[Tensor, ...] = ()
    """Discrete tokenizers: one integer tensor (B, t, h, w) a codebook; empty for the others."""
    bitstreams: tuple[bytes, ...] = ()
    """Codecs: one stream a clip."""
    bitstream_facts: tuple[BitstreamFacts, ...] = ()
    """Codecs: the facts of each stream, in the order of ``bitstreams``; may be empty."""
    kl_nats: Tensor | None = None
    """KL posteriors: KL(q ‖ p) of each clip, (B,), in nats."""
    codebook_sizes: tuple[int, ...] = ()
    """Codes a codebook, in the order of ``codes``."""
    noise_seeds: tuple[int, ...] = ()
    """Decoders that sample: the seed of each clip's noise, so that decoding repeats; not counted as bits."""
    num_frames: int = 0
    """Frames of the clip that went in; set by :meth:`VideoTokenizer.encode`, like height and width."""
    height: int = 0
    width: int = 0

    @property
    def device(self) -> torch.device:
        """Where its latents or codes are; the CPU for bitstreams."""
        tensors = [self.latents, *self.codes]
        return next((tensor.device for tensor in tensors if tensor is not None), torch.device("cpu"))

    @property
    def batch_size(self) -> int:
        """Number of clips."""
        if self.latents is not None:
            return self.latents.shape[0]
        return self.codes[0].shape[0] if self.codes else len(self.bitstreams)

    def select(self, index: int) -> Encoded:
        """The encoding of one clip of the batch, as a batch of one."""
        one = slice(index, index + 1)
        return replace(
            self,
            latents=None if self.latents is None else self.latents[one],
            codes=tuple(codes[one] for codes in self.codes),
            bitstreams=self.bitstreams[one],
            bitstream_facts=self.bitstream_facts[one],
            kl_nats=None if self.kl_nats is None else self.kl_nats[one],
            noise_seeds=self.noise_seeds[one],
        )

    @property
    def bits_convention(self) -> BitsConvention:
        """How :attr:`bits` counts."""
        if self.bitstreams:
            return "bitstream"
        return "codes" if self.codes else "stored-16"

    @property
    def bits(self) -> list[float]:
        """Bits of each clip: Σ log2 K over codes, 16 an element of a continuous latent, 8 a byte of a bitstream."""
        if self.bitstreams:
            containers = [facts.container_bytes for facts in self.bitstream_facts] or [0] * len(self.bitstreams)
            return [8.0 * (len(stream) - extra) for stream, extra in zip(self.bitstreams, containers, strict=True)]
        if self.codes:
            sizes = zip(self.codes, self.codebook_sizes, strict=True)
            return [math.fsum(math.log2(size) * codes[0].numel() for codes, size in sizes)] * self.batch_size
        assert self.latents is not None
        return [float(STORED_BITS_PER_LATENT_VALUE * self.latents[0].numel())] * self.batch_size

    @property
    def num_tokens(self) -> int:
        """Latent positions of one clip, over all codebooks; 0 for codecs."""
        if self.codes:
            return sum(codes[0].numel() for codes in self.codes)
        return 0 if self.latents is None else self.latents[0, 0].numel()


def draw_noise(shape: Sequence[int], like: Tensor, generators: Sequence[torch.Generator] | None) -> Tensor:
    """Standard normal noise of ``shape`` (B first), float32 from one CPU generator a clip, moved to ``like``'s device.

    Raises :class:`TokenizerError` if there is not one generator for each clip.
    """
    if generators is None:
        return torch.randn(tuple(shape), dtype=torch.float32).to(like)
    _check_one_generator_each(shape[0], generators)
    return torch.stack([torch.randn(tuple(shape[1:]), generator=g, dtype=torch.float32) for g in generators]).to(like)


def draw_seed(generator: torch.Generator) -> int:
    """A seed for another generator, from one on the CPU."""
    return int(torch.randint(SEED_BOUND, (), generator=generator, device="cpu"))


def draw_seeds(num_clips: int, generators: Sequence[torch.Generator] | None, otherwise: int) -> tuple[int, ...]:
    """The :attr:`Encoded.noise_seeds` of a batch: one from each clip's generator; without generators ``otherwise``.

    Raises :class:`TokenizerError` if there is not one generator for each clip.
    """
    if generators is None:
        return (otherwise,) * num_clips
    _check_one_generator_each(num_clips, generators)
    return tuple(map(draw_seed, generators))


def _check_one_generator_each(num_clips: int, generators: Sequence[torch.Generator]) -> None:
    if len(generators) != num_clips:
        raise TokenizerError(f"{num_clips} clips need as many noise generators, not {len(generators)}")


def pad_frames(video: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Repeat the last frame, row and column of (B, C, T, H, W) up to ``shape``, (T, H, W)."""
    num_frames, height, width = (wanted - there for wanted, there in zip(shape, video.shape[2:], strict=True))
    if not (num_frames or height or width):
        return video
    return F.pad(video, (0, width, 0, height, 0, num_frames), mode="replicate")


def called_parts(modules: Iterable[nn.Module]) -> list[nn.Module]:
    """The modules that are called: a list or dict of modules stands for those in it."""
    parts: list[nn.Module] = []
    for module in modules:
        is_container = isinstance(module, nn.ModuleList | nn.ModuleDict)
        parts += called_parts(module.children()) if is_container else [module]
    return parts


class VideoTokenizer(ABC):
    """A tokenizer that the runner can measure. Subclasses write ``_encode`` and ``_decode``."""

    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS
    """Names of the inference settings that may differ from their default."""
    supported_network_settings: ClassVar[frozenset[str]] = frozenset()
    """Names of the settings of :data:`NETWORK_SETTINGS` that may differ from their default, too."""
    clip_fps: Sequence[float] = ()
    """Frame rate of each clip of the batch, frames/s; set before :meth:`encode` by whoever knows them, empty otherwise.

    Only what codes for a rate needs them, such as a codec; 0 stands for a clip whose rate is unknown.
    """
    looks_ahead: int | None = 0
    """By how many frames a reconstruction of a causal model may depend on later ones, beyond those of its own latent;
    ``None``: on all of the clip."""
    looks_ahead_through: str = ""
    """What lets it do so, in words."""

    def __init__(self, spec: TokenizerSpec, settings: InferenceSettings | None = None):
        """Raises :class:`TokenizerError` if a setting differs from its default that isn't supported."""
        self.spec = spec
        self.settings = settings or InferenceSettings()
        supported = self.supported_settings | self.supported_network_settings
        if unsupported := [name for name in self.settings.changed if name not in supported]:
            raise TokenizerError(f"{spec.name} doesn't support the inference settings {', '.join(unsupported)}")

    @abstractmethod
    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        """Encode a clip of legal length and size, (B, 3, T, H, W) in [-1, 1]."""

    @abstractmethod
    def _decode(self, encoded: Encoded) -> Tensor:
        """Decode to (B, 3, T', H', W'), floats, the :meth:`legal_shape` of the clip; need not be clamped."""

    def modules(self) -> dict[str, nn.Module]:
        """The networks by role: ``encoder``, ``decoder``, ``regularizer``. Empty for tokenizers without parameters."""
        return {}

    def compiled_modules(self) -> Iterable[nn.Module]:
        """The modules that the setting ``compile`` has compiled. Each must be called: its methods aren't compiled."""
        return called_parts(self.modules().values())

    def load_files(self, files: Sequence[Path], *, trusted: bool) -> None:
        """Load a card's checkpoint: here :meth:`load_state` with the state dict of its file.

        Args:
            files: the files the card names, on this machine, verified.
            trusted: whether code in them may run; only TorchScript archives hold any.

        Raises:
            TokenizerError: where a file is damaged, not trusted, or another model's.
        """
        self.load_state(load_state(files[0], trusted=trusted))

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Load a checkpoint's flat state dict, as the file holds it, for cards that name a checkpoint.

        Raises :class:`TokenizerError` where the keys or shapes are another model's.
        """
        raise TokenizerError(f"{self.spec.name} takes no weights, but its card names a checkpoint")

    def init_random(self, seed: int) -> None:
        """Draw every weight from ``seed``, for cards with ``random_seed``."""
        raise TokenizerError(f"{self.spec.name} takes no weights, but its card names a random seed")

    def to(self, device: str | torch.device) -> VideoTokenizer:
        """Move every module to ``device``, in the precision of the settings."""
        for module in self.modules().values():
            module.to(device=device, dtype=getattr(torch, self.settings.precision))
        self._lay_out_and_compile()
        return self

    def _lay_out_and_compile(self) -> None:
        """Bring the modules, where they are, into the memory format of the settings, and have them compiled."""
        for module in self.modules().values():
            if self.settings.memory_format == "channels_last_3d":
                # Module.to(memory_format=…) offers it to the weights of 2-D convolutions, too, which can't have it.
                for weight in module.parameters():
                    if weight.ndim == 5:
                        weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
        if self.settings.compile != "off":
            for module in self.compiled_modules():
                module.compile(mode=self.settings.compile)

    @contextmanager
    def _as_set(self, device: torch.device) -> Iterator[None]:
        """Automatic mixed precision as the settings say, whatever the caller's is."""
        if device.type == "meta":
            yield
            return
        autocast = self.settings.autocast
        dtype = None if autocast == "off" else getattr(torch, autocast)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            yield

    @property
    def dtype(self) -> torch.dtype:
        """The data type the model computes in."""
        return getattr(torch, self.settings.precision)

    def legal_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int]:
        """The smallest legal (T, H, W) that holds a clip."""
        multiple = self.spec.size_multiple
        return (
            self.spec.frame_rule.next_legal(num_frames),
            math.ceil(height / multiple) * multiple,
            math.ceil(width / multiple) * multiple,
        )

    def check_video(self, video: Tensor) -> None:
        """Raise :class:`TokenizerError` unless ``video`` is (B, 3, T, H, W) and float."""
        if video.ndim != 5 or video.shape[1] != 3 or not video.is_floating_point() or 0 in video.shape:
            raise TokenizerError(
                f"{self.spec.name}: a video is a float tensor (B, 3, T, H, W), not {video.dtype} {tuple(video.shape)}"
            )

    def check_encoded(self, encoded: Encoded, batch_size: int) -> None:
        """Raise :class:`TokenizerError` unless an encoding is of so many clips, and its codes are those of the spec.

        Bits, divergences and code counts are taken from it as they are.
        """
        per_clip = [
            ("latents", encoded.latents),
            *((f"codes of codebook {number}", codes) for number, codes in enumerate(encoded.codes)),
            *((name, getattr(encoded, name) or None) for name in ("bitstreams", "bitstream_facts", "noise_seeds")),
        ]
        for name, values in per_clip:
            if values is not None and len(values) != batch_size:
                raise TokenizerError(f"{self.spec.name} encoded {batch_size} clips to {name} of {len(values)}")
        if encoded.kl_nats is not None and encoded.kl_nats.shape != (batch_size,):
            raise TokenizerError(
                f"{self.spec.name} encoded {batch_size} clips to kl_nats of {tuple(encoded.kl_nats.shape)}"
            )
        if self.spec.codebook_size is None:
            return
        expected = (self.spec.codebook_size,) * self.spec.num_codebooks
        if tuple(encoded.codebook_sizes) != expected or len(encoded.codes) != len(expected):
            raise TokenizerError(
                f"{self.spec.name} gave {len(encoded.codes)} tensors of codes, of codebooks of "
                f"{list(encoded.codebook_sizes)} codes; its spec says {list(expected)}"
            )
        latents = encoded.latents
        if latents is not None and latents.ndim == 5 and len(expected) == 1:
            grid = (batch_size, *latents.shape[2:])
            if tuple(encoded.codes[0].shape) != grid:
                raise TokenizerError(
                    f"{self.spec.name} gave codes of {tuple(encoded.codes[0].shape)} beside latents of "
                    f"{tuple(latents.shape)}; they must be of {grid}"
                )

    @torch.no_grad()
    def encode(self, video: Tensor, generators: Sequence[torch.Generator] | None = None) -> Encoded:
        """Encode a clip of any length and size.

        Args:
            video: (B, 3, T, H, W), float, in [-1, 1]. Where T, H or W is illegal for the model, the last frame, row or
                column is repeated up to the next legal size, and :meth:`decode` crops it away again.
            generators: one CPU generator a clip for models that draw noise.

        Raises:
            TokenizerError: on another shape or an integer tensor, or if the model encodes other clips or codes.
        """
        self.check_video(video)
        num_frames, height, width = video.shape[2:]
        video = pad_frames(video, self.legal_shape(num_frames, height, width))
        with self._as_set(video.device):
            encoded = self._encode(video.to(self.dtype), generators)
        self.check_encoded(encoded, len(video))
        return replace(encoded, num_frames=num_frames, height=height, width=width)

    @torch.no_grad()
    def decode(self, encoded: Encoded) -> Tensor:
        """Decode to the size of the clip that was encoded: (B, 3, T, H, W), float32, not clamped.

        Raises:
            TokenizerError: if the model gives another number of frames, or another size, than went in, or integers.
        """
        with self._as_set(encoded.device):
            video = self._decode(encoded)
        if not video.is_floating_point():
            raise TokenizerError(f"{self.spec.name} returned {video.dtype}; return floats in [-1, 1]")
        legal = self.legal_shape(encoded.num_frames, encoded.height, encoded.width)
        if video.ndim != 5 or tuple(video.shape) != (encoded.batch_size, 3, *legal):
            raise TokenizerError(
                f"{self.spec.name} returned {tuple(video.shape)} instead of {(encoded.batch_size, 3, *legal)}"
            )
        return video[:, :, : encoded.num_frames, : encoded.height, : encoded.width].float()
