"""The tensors that an Open-Sora golden folder stores, computed by this implementation."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from ...golden import UnsupportedGolden
from ...spec import TokenizerSpec
from .adapter import OpenSoraTokenizer
from .config import OpenSoraConfig


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: the folder's ``config.json``.
        state: weights under the official names.
        inputs: ``input`` and, where it is stored, ``input_long``, each (B, 3, T, H, W).
        case: the name of the golden file, ``io``.

    Raises:
        UnsupportedGolden: for a case that doesn't exist here.
    """
    if case != "io":
        raise UnsupportedGolden(f"case {case}")
    tokenizer = _tokenizer(config)
    tokenizer.load_state(state)
    model = tokenizer.model
    video = inputs["input"]
    image_latents = model.spatial_moments(video).chunk(2, 1)[0]
    scaled = image_latents * model.config.spatial_latent_factor
    outputs = {"spatial_latent": scaled, "spatial_recon": model.spatial_decode(image_latents)}
    for suffix, clip in {"": video, "_1frame": video[:, :, :1], "_long": inputs.get("input_long")}.items():
        if clip is not None:
            encoded = tokenizer.encode(clip)
            assert encoded.latents is not None
            outputs |= {f"latent{suffix}": encoded.latents, f"recon{suffix}": tokenizer.decode(encoded)}
    return outputs


def _tokenizer(config: dict[str, Any]) -> OpenSoraTokenizer:
    parameters = {f.name: config[f.name] for f in fields(OpenSoraConfig) if f.name in config}
    built = OpenSoraConfig.from_parameters(parameters)
    spec = TokenizerSpec(
        name="golden",
        family="opensora",
        title="Open-Sora",
        regularizer="kl",
        causal=True,
        temporal_compression=built.temporal.temporal_compression,
        spatial_compression=built.spatial_compression,
        latent_channels=built.temporal.embed_dim,
        size_multiple=built.spatial_compression,
    )
    return OpenSoraTokenizer(spec, parameters)
