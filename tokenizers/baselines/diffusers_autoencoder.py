"""The autoencoders of Hugging Face's diffusers, by card: class, constructor arguments, and the quirks of its calls.

diffusers is an extra: ``pip install 'toklab[diffusers]'``. Weights come from the safetensors file that the card names.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ..adapters import install_command
from ..card import config_from
from ..errors import TokenizerError
from ..interface import Encoded, VideoTokenizer, draw_noise
from ..spec import NETWORK_SETTINGS, InferenceSettings, TokenizerSpec

INSTALL = install_command("diffusers")


@dataclass(frozen=True)
class AutoencoderOptions:
    """A card's ``[parameters]``: which autoencoder, and how it wants to be called."""

    autoencoder: str
    """Name of the class, such as ``AutoencoderKLWan``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments that differ from the class's defaults."""
    config_file: str = ""
    """A ``config.json`` as diffusers writes it, read before ``config``; relative to the card."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes to set on the model, such as ``use_framewise_decoding = false``."""
    tiling: bool = False
    """Whether the class's own tiling is switched on; the result then depends on its tiles."""
    frames: Literal["clip", "images"] = "clip"
    """``images``: the encoder takes frames as a batch of images (B · T, 3, H, W)."""
    decoder_layout: Literal["BCTHW", "BTCHW"] = "BCTHW"
    """Order of the axes of what the decoder returns."""
    lead_frames: int = 0
    """Copies of the first frame to put in front of a clip; the decoder doesn't return them."""
    timestep: float | None = None
    """For decoders that are conditioned on one."""
    single_clips: bool = False
    """Whether the class computes one clip at a time only, and fails for more."""
    looks_ahead: str = ""
    """What lets a model declared causal see later frames, in words; empty if nothing does."""
    dropped_prefixes: Sequence[str] = ()
    """Tensors of the checkpoint that aren't the model's: those whose names start so."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], name: str) -> AutoencoderOptions:
        """Read a card's parameters.

        Raises:
            TokenizerError: on an unknown or missing one, or a value that isn't among the choices.
        """
        return config_from(cls, parameters, name)

    @property
    def arguments(self) -> dict[str, Any]:
        """All constructor arguments that the card gives, itself or through its ``config_file``.

        Raises:
            TokenizerError: if the file can't be read or is another class's.
        """
        if not self.config_file:
            return dict(self.config)
        try:
            stored = json.loads(Path(self.config_file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TokenizerError(f"{self.config_file}: can't be read as a diffusers config ({error})") from error
        if stored.get("_class_name", self.autoencoder) != self.autoencoder:
            raise TokenizerError(
                f"{self.config_file}: is the config of {stored['_class_name']}, not of {self.autoencoder}"
            )
        return {key: value for key, value in stored.items() if not key.startswith("_")} | dict(self.config)


LOOKS_AHEAD: dict[str, Callable[[int], int]] = {
    # Linear upsampling in time reaches into the next latent, and not to its last frame.
    "AutoencoderVidTok": lambda temporal_compression: temporal_compression - 1,
}
"""By how many frames classes look ahead that may, from their compression; the others do over the whole clip.

The decoders of LTX do through more than ten convolutions at the latent's frame rate alone, 72 frames and more, which is
longer than what is mostly measured.
"""


class DiffusersTokenizer(VideoTokenizer):
    """An autoencoder of diffusers. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Latent statistics and scaling factors of a config serve generators; reconstruction doesn't apply them.

    Args:
        spec: what the card says.
        parameters: see :class:`AutoencoderOptions`.
        settings: posterior, seed and precision, and those of networks.

    Raises:
        TokenizerError: if diffusers is missing or too old for the class, or the parameters don't build it.
    """

    supported_network_settings: ClassVar[frozenset[str]] = NETWORK_SETTINGS

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.options = AutoencoderOptions.from_parameters(parameters, spec.name)
        self._class = _autoencoder_class(self.options.autoencoder, spec.name)
        self.looks_ahead_through = self.options.looks_ahead
        if self.looks_ahead_through:
            reach = LOOKS_AHEAD.get(self.options.autoencoder)
            self.looks_ahead = reach(spec.temporal_compression) if reach else None
        self._arguments = self.options.arguments
        accepted = inspect.signature(self._class.__init__).parameters
        if foreign := sorted(set(self._arguments) - set(accepted)):
            raise TokenizerError(f"{spec.name}: {self.options.autoencoder} takes no {', '.join(foreign)}")
        self._has_weights = False
        try:
            with torch.device("meta"):
                self.model = self._build()
        except RuntimeError:
            # Some classes compute tables on the CPU while they are built, which the meta device refuses.
            with torch.device("cpu"):
                self.model = self._build()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a diffusers checkpoint, in float32 on the CPU.

        Raises:
            TokenizerError: if keys or shapes are another model's.
        """
        with torch.device("cpu"):
            model = self._build()
        dropped = tuple(self.options.dropped_prefixes)
        try:
            model.load_state_dict({name: value for name, value in state.items() if not name.startswith(dropped)})
        except RuntimeError as error:
            raise TokenizerError(f"{self.spec.name}: the checkpoint is another model's: {error}") from error
        self._use(model)

    def init_random(self, seed: int) -> None:
        """Draw weights by the rules of the class, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            model = self._build()
        self.spec = replace(self.spec, weights=f"random (seed {seed})")
        self._use(model)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder, and what lies between them, such as ``quant_conv``."""
        return {name: module for name, module in self.model.named_children() if any(True for _ in module.parameters())}

    def to(self, device: str | torch.device) -> VideoTokenizer:
        """Move the whole autoencoder: a quantizer may have buffers but no parameters, and so be none of the modules."""
        self.model.to(device)
        return super().to(device)

    def legal_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int]:
        """The smallest legal (T, H, W) that holds a clip; of a class that works in fixed tiles, one that they cover.

        Such a class leaves zeros wherever no whole tile fits.
        """
        if not self.options.tiling or not hasattr(self.model, "kernel"):
            return super().legal_shape(num_frames, height, width)
        frames, rows, columns = (
            tile + max(0, math.ceil((size - tile) / stride)) * stride
            for size, tile, stride in zip(
                (num_frames, height, width), self.model.kernel, self.model.stride, strict=True
            )
        )
        return frames, rows, columns

    def _build(self) -> Any:
        try:
            model = self._class(**self._arguments)
        except (TypeError, ValueError) as error:
            raise TokenizerError(f"{self.spec.name}: {self.options.autoencoder} can't be built: {error}") from error
        for name, value in self.options.attributes.items():
            if not hasattr(model, name):
                raise TokenizerError(f"{self.spec.name}: {self.options.autoencoder} has no attribute {name}")
            setattr(model, name, value)
        if self.options.tiling:
            model.enable_tiling()
        return model.eval().requires_grad_(False)

    def _use(self, model: Any) -> None:
        self.model = model
        # Child by child: the class's own to() warns of every cast.
        self.to("cpu")
        self._has_weights = True

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        if not self._has_weights and not video.is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        if self.options.single_clips and len(video) > 1:
            each = [[generator] for generator in generators] if generators else [None] * len(video)
            return _batch([self._encode(clip, one) for clip, one in zip(video.split(1), each, strict=True)])
        if self.options.lead_frames:
            video = torch.cat([video[:, :, :1].repeat(1, 1, self.options.lead_frames, 1, 1), video], 2)
        frames = _as_images(video) if self.options.frames == "images" else video
        result = self._run(self.model.encode, frames)
        if self.spec.codebook_size is not None:
            latents, codes = result
            return Encoded(latents=latents, codes=(codes.long(),), codebook_sizes=(self.spec.codebook_size,))
        distribution = result.latent_dist
        latents, kl = distribution.mode(), None
        if hasattr(distribution, "logvar"):
            kl = 0.5 * (latents.square() + distribution.logvar.exp() - 1 - distribution.logvar)
            if self.settings.posterior == "sample":
                latents = self._sample(latents, distribution.std, generators, video.shape[0])
        if self.options.frames == "images":
            latents = _as_clip(latents, video.shape[0])
            kl = None if kl is None else _as_clip(kl, video.shape[0])
        return Encoded(latents=latents, kl_nats=None if kl is None else kl.float().flatten(1).sum(1))

    def _sample(
        self, mean: Tensor, deviation: Tensor, generators: Sequence[torch.Generator] | None, batch_size: int
    ) -> Tensor:
        by_clip = (batch_size, mean.shape[0] // batch_size, *mean.shape[1:])
        return mean + deviation * draw_noise(by_clip, mean, generators).flatten(0, 1).view_as(mean)

    def _decode(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        assert latents is not None
        if self.options.single_clips and len(latents) > 1:
            return torch.cat([self._decode(encoded.select(index)) for index in range(len(latents))])
        batch_size, num_frames = latents.shape[0], latents.shape[2]
        arguments: dict[str, Any] = {}
        if self.options.frames == "images":
            latents = _as_images(latents)
            if "num_frames" in inspect.signature(self.model.decode).parameters:
                arguments["num_frames"] = num_frames
        if self.options.timestep is not None:
            arguments["temb"] = torch.full((batch_size,), self.options.timestep).to(latents)
        result = self._run(self.model.decode, latents.to(self.dtype), **arguments)
        video = result if isinstance(result, Tensor) else result.sample
        if self.options.frames == "images":
            return _as_clip(video, batch_size)
        return video.transpose(1, 2) if self.options.decoder_layout == "BTCHW" else video

    def _run(self, function: Any, *inputs: Tensor, **arguments: Any) -> Any:
        """Call the model; if it fails, forget what it remembered of the clip, or the next one would fail as well."""
        try:
            return function(*inputs, **arguments)
        except BaseException:
            for name in ("_clear_conv_cache", "clear_cache"):
                if hasattr(self.model, name):
                    getattr(self.model, name)()
            raise


def _batch(clips: Sequence[Encoded]) -> Encoded:
    """The encodings of single clips as those of a batch."""
    divergences = [clip.kl_nats for clip in clips if clip.kl_nats is not None]
    return replace(
        clips[0],
        latents=torch.cat([clip.latents for clip in clips if clip.latents is not None]),
        codes=tuple(torch.cat(codes) for codes in zip(*(clip.codes for clip in clips), strict=True)),
        kl_nats=torch.cat(divergences) if divergences else None,
    )


def _as_images(video: Tensor) -> Tensor:
    """(B, C, T, H, W) to (B · T, C, H, W)."""
    return video.transpose(1, 2).flatten(0, 1)


def _as_clip(images: Tensor, batch_size: int) -> Tensor:
    """(B · T, C, H, W) to (B, C, T, H, W)."""
    return images.unflatten(0, (batch_size, -1)).transpose(1, 2)


def _autoencoder_class(name: str, tokenizer: str) -> Any:
    try:
        import diffusers
    except ImportError as error:
        raise TokenizerError(f"{tokenizer}: diffusers can't be imported ({error}). {INSTALL}") from error
    # The class's module is loaded by this access, and its tensors would stay wherever the caller builds models.
    with torch.device("cpu"):
        found = getattr(diffusers, name, None)
    if not name.startswith("Autoencoder") or found is None:
        raise TokenizerError(
            f"{tokenizer}: diffusers {diffusers.__version__} has no {name}. {INSTALL} --upgrade, or fix the card"
        )
    return found
