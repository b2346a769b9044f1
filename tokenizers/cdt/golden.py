"""The tensors that a CDT golden folder stores, computed by this implementation."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..golden import UnsupportedGolden, golden_tokenizer
from ..networks.quantizers.kl import split_moments
from .adapter import CDTTokenizer
from .cache import FeatureCache
from .model import CDTModel, channels_first, channels_last
from .sampler import NoiseSource, Sampler
from .streaming import decode_chunks, encode_chunks

_NOT_OF_THE_NETWORK = frozenset({"pretrained", "sample_steps", "enc_bs", "dec_bs"})
_CONTEXT_GAIN, _GAIN, _SPREAD = 0.7, 1.4, 0.1
"""Of the recipe that regenerates weights which a golden doesn't store."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes."""
    return {key: value for key, value in config["constructor"].items() if key not in _NOT_OF_THE_NETWORK}


def recipe_state(model: CDTModel, seed: int) -> dict[str, Tensor]:
    """The weights that the goldens' ``weight_recipe`` makes of ``weight_seed``: each depends on its name alone."""
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        generator = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
        values = generator.standard_normal(tuple(tensor.shape))
        if tensor.ndim >= 2 and name.endswith(".weight"):
            gain = _CONTEXT_GAIN if name.startswith("model.context_fn.") else _GAIN
            values *= gain / np.sqrt(np.prod(tensor.shape[1:]))
        else:
            values *= _SPREAD
        state[name] = torch.from_numpy(values).float() + (1.0 if name.endswith(".g") else 0.0)
    return state


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a golden file, by its name there.

    Args:
        config: as in :mod:`toklab.tokenizers.golden`, like the others.
        state: the weights; empty where the configuration says how to regenerate them.
        inputs: what the file stores; of each case ``CASE.x``, ``CASE.noise`` and ``CASE.unet_x`` go in.
        case: ``io``.

    Raises:
        UnsupportedGolden: for another file.
    """
    if case != "io" or "constructor" not in config:
        raise UnsupportedGolden(f"case {case}")
    tokenizer = golden_tokenizer(CDTTokenizer, golden_parameters(config), config["name"])
    model = tokenizer.model
    tokenizer.load_state(state or recipe_state(model, config["weight_seed"]))
    outputs: dict[str, Tensor] = {}
    for name, described in config["cases"].items():
        prefix = f"{name}."
        stored = {key.removeprefix(prefix): value for key, value in inputs.items() if key.startswith(prefix)}
        computed = _case_outputs(model, stored, described["case"]["enc"])
        outputs |= {prefix + key: value for key, value in computed.items()}
    return outputs


def official_encode_chunks(video: Tensor, chunk_frames: int | None) -> list[Tensor]:
    """Cut (B, 3, T, H, W) as the official code does: the first chunk takes what makes the others whole."""
    num_frames = video.shape[2]
    length = min(chunk_frames or num_frames, num_frames)
    first = num_frames % length or length
    return [video[:, :, :first], *video[:, :, first:].split(length, 2)] if first < num_frames else [video]


def _case_outputs(model: CDTModel, stored: dict[str, Tensor], encode_frames: int | None) -> dict[str, Tensor]:
    video = stored["x"]
    moments = torch.cat(list(encode_chunks(model, official_encode_chunks(video, encode_frames))), 2)
    latents = split_moments(moments)[0]
    outputs = {"moments": moments, "z": latents}
    for name in stored:
        if name.startswith("recon_"):
            steps, length = name.removeprefix("recon_s").split("_c")
            num_latents = latents.shape[2] if length == "all" else int(length)
            chunks = latents.split(num_latents, 2)
            noise = _stored_noise(stored["noise"], model.config.temporal_factor)
            frames = decode_chunks(model, chunks, Sampler(int(steps)), noise, cached_end=False)
            outputs[name] = torch.cat(list(frames), 2)
    if "unet_x" in stored:
        outputs |= _inner_outputs(model, video, latents, stored["unet_x"], stored["unet_t"])
    return outputs


def _stored_noise(noise: Tensor, temporal_factor: int) -> NoiseSource:
    """Hands out stored noise (B, 3, T, H, W), whose first frames the official code skips, in order."""
    frames = channels_last(noise)
    position = temporal_factor - 1

    def draw(number: int, num_frames: int) -> Tensor:
        nonlocal position
        start, position = position, position + num_frames
        return frames[:, start:position]

    return draw


def _inner_outputs(model: CDTModel, video: Tensor, latents: Tensor, noisy: Tensor, time: Tensor) -> dict[str, Tensor]:
    conditions = model.compressor.conditions(channels_last(latents), FeatureCache())
    outputs = {f"ctx{level}": channels_first(condition) for level, condition in enumerate(conditions)}
    outputs["enc_hidden"] = channels_first(model.compressor.hidden(channels_last(video), FeatureCache()))
    outputs["time_emb"] = model.denoiser.time_mlp(time)
    outputs["unet_y"] = channels_first(model.denoiser(channels_last(noisy), time, conditions, FeatureCache()))
    return outputs
