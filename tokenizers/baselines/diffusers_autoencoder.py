"""The autoencoders of Hugging Face's diffusers, by card: class, constructor arguments, and the quirks of its calls.

diffusers is an extra: ``pip install 'toklab[diffusers]'``. Weights come from the safetensors file that the card names.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..card import config_from
from ..errors import TokenizerError
from ..interface import Encoded, VideoTokenizer, draw_noise, draw_seeds
from ..networks.quantizers.kl import gaussian_kl
from ..spec import NETWORK_SETTINGS, InferenceSettings, TokenizerSpec
from .diffusers_options import AutoencoderOptions
from .from_diffusers import INSTALL, diffusers_module

LOOKS_AHEAD: dict[str, Callable[[int], int]] = {
    # Linear upsampling in time reaches into the next latent, and not to its last frame.
    "AutoencoderVidTok": lambda temporal_compression: temporal_compression - 1,
}
"""By how many frames classes look ahead that may, from their compression; the others do over the whole clip.

The decoders of LTX do through more than ten convolutions at the latent's frame rate alone, 72 frames and more, which is
longer than what is mostly measured.
"""

WITHOUT_VARIANCE = ("AutoencoderKLKVAEVideo",)
"""Classes that drop the variance of their posterior and give 1 in its place: it has no divergence, and no samples."""


class DiffusersTokenizer(VideoTokenizer):
    """An autoencoder of diffusers. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Latent statistics and scaling factors of a config serve generators; reconstruction doesn't apply them.

    Args:
        spec: what the card says.
        parameters: see :class:`AutoencoderOptions`.
        settings: posterior, seed and precision, and those of networks.

    Raises:
        TokenizerError: if diffusers is missing or too old for the class, the parameters don't build it, or it can't
            sample its posterior.
    """

    supported_network_settings: ClassVar[frozenset[str]] = NETWORK_SETTINGS

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.options = config_from(AutoencoderOptions, parameters, spec.name)
        self._class = _autoencoder_class(self.options.autoencoder, spec.name)
        self._has_variance = self.options.autoencoder not in WITHOUT_VARIANCE
        if self.settings.posterior == "sample" and not self._has_variance:
            raise TokenizerError(
                f"{spec.name}: {self.options.autoencoder} drops the variance of its posterior, so there is nothing to "
                "sample; leave posterior out"
            )
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
        self._decoder_draws_noise = any(self.model.config.get("decoder_inject_noise") or ())

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
        latents, kl_nats = distribution.mode(), None
        if hasattr(distribution, "logvar") and self._has_variance:
            kl_nats = gaussian_kl(self._by_clip(latents, len(video)), self._by_clip(distribution.logvar, len(video)))
            if self.settings.posterior == "sample":
                latents = self._sample(latents, distribution.std, generators, len(video))
        noise_seeds = draw_seeds(len(video), generators, self.settings.seed) if self._decoder_draws_noise else ()
        return Encoded(latents=self._by_clip(latents, len(video)), kl_nats=kl_nats, noise_seeds=noise_seeds)

    def _by_clip(self, encoded: Tensor, batch_size: int) -> Tensor:
        """What the encoder gave, as (B, C, t, h, w)."""
        return _as_clip(encoded, batch_size) if self.options.frames == "images" else encoded

    def _sample(
        self, mean: Tensor, deviation: Tensor, generators: Sequence[torch.Generator] | None, batch_size: int
    ) -> Tensor:
        by_clip = (batch_size, mean.shape[0] // batch_size, *mean.shape[1:])
        return mean + deviation * draw_noise(by_clip, mean, generators).flatten(0, 1).view_as(mean)

    def _decode(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        assert latents is not None
        if len(latents) > 1 and (self.options.single_clips or self._decoder_draws_noise):
            return torch.cat([self._decode(encoded.select(index)) for index in range(len(latents))])
        batch_size, num_frames = latents.shape[0], latents.shape[2]
        arguments: dict[str, Any] = {}
        if self.options.frames == "images":
            latents = _as_images(latents)
            if "num_frames" in inspect.signature(self.model.decode).parameters:
                arguments["num_frames"] = num_frames
        if self.options.timestep is not None:
            arguments["temb"] = torch.full((batch_size,), self.options.timestep).to(latents)
        with self._noise_of(encoded):
            result = self._run(self.model.decode, latents.to(self.dtype), **arguments)
        video = result if isinstance(result, Tensor) else result.sample
        if self.options.frames == "images":
            return _as_clip(video, batch_size)
        return video.transpose(1, 2) if self.options.decoder_layout == "BTCHW" else video

    @contextmanager
    def _noise_of(self, encoded: Encoded) -> Iterator[None]:
        """Let the noise of a decoder that draws from torch's own generators follow from the seed of its one clip."""
        if not self._decoder_draws_noise:
            yield
            return
        on_gpu = encoded.device.type == "cuda" and torch.cuda.is_available()
        with torch.random.fork_rng(devices=[encoded.device] if on_gpu else []):
            torch.manual_seed((encoded.noise_seeds or (self.settings.seed,))[0])
            yield

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
        noise_seeds=tuple(seed for clip in clips for seed in clip.noise_seeds),
    )


def _as_images(video: Tensor) -> Tensor:
    """(B, C, T, H, W) to (B · T, C, H, W)."""
    return video.transpose(1, 2).flatten(0, 1)


def _as_clip(images: Tensor, batch_size: int) -> Tensor:
    """(B · T, C, H, W) to (B, C, T, H, W)."""
    return images.unflatten(0, (batch_size, -1)).transpose(1, 2)


def _autoencoder_class(name: str, tokenizer: str) -> Any:
    diffusers = diffusers_module("diffusers", tokenizer)
    # The class's module is loaded by this access, and its tensors would stay wherever the caller builds models.
    with torch.device("cpu"):
        found = getattr(diffusers, name, None)
    if not name.startswith("Autoencoder") or found is None:
        raise TokenizerError(
            f"{tokenizer}: diffusers {diffusers.__version__} has no {name}. {INSTALL} --upgrade, or fix the card"
        )
    return found
