"""The tensors that an Open-Sora-Plan golden folder stores, computed by this implementation."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from ...golden import UnsupportedGolden
from ...networks.ldm.chunks import OfficialTiling
from ...spec import TokenizerSpec
from .adapter import CausalVAETokenizer
from .chunked import ChunkRule
from .config import CausalVAEConfig

_FIXED = {
    "attn_resolutions": [],
    "double_z": True,
    "q_conv": "CausalConv3d",
    "encoder_conv_in": "Conv2d",
    "encoder_conv_out": "CausalConv3d",
    "encoder_attention": "AttnBlock3DFix",
    "encoder_temporal_downsample": ["", "", "", ""],
    "encoder_mid_resnet": "ResnetBlock3D",
    "decoder_conv_in": "CausalConv3d",
    "decoder_conv_out": "CausalConv3d",
    "decoder_attention": "AttnBlock3DFix",
    "decoder_temporal_upsample": ["", "", "", ""],
    "decoder_mid_resnet": "ResnetBlock3D",
    "use_quant_layer": True,
}
"""Official parameters that exist here with the values of v1.2 only."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    given = config["arch"]
    for name, value in _FIXED.items():
        if given.get(name, value) != value:
            raise UnsupportedGolden(f"{name} = {given[name]}")
    return {f.name: given[f.name] for f in fields(CausalVAEConfig) if f.name in given}


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: the folder's ``config.json``.
        state: weights under the official names.
        inputs: ``input``, and ``input_tiled`` or ``input_long`` where they are stored, each (B, 3, T, H, W).
        case: the name of the golden file, ``io``.

    Raises:
        UnsupportedGolden: for a case or parameters that don't exist here.
    """
    if case != "io":
        raise UnsupportedGolden(f"case {case}")
    tokenizer = _tokenizer(golden_parameters(config))
    tokenizer.load_state(state)
    video = inputs["input"]
    outputs = {"moments": tokenizer.model.encode(video)}
    for suffix, clip in {"": video, "_1frame": video[:, :, :1], "_long": inputs.get("input_long")}.items():
        if clip is not None:
            encoded = tokenizer.encode(clip)
            assert encoded.latents is not None
            outputs |= {f"latent{suffix}": encoded.latents, f"recon{suffix}": tokenizer.decode(encoded)}
    if "input_tiled" in inputs:
        encoding, decoding = _tiling_rules(config["tiling"])
        latents = torch.cat(list(tokenizer.encode_moments([inputs["input_tiled"]], encoding)), 2).chunk(2, 1)[0]
        outputs["latent_tiled"] = latents
        outputs["recon_tiled"] = torch.cat(list(tokenizer.decode_latents([latents], decoding)), 2)
    return outputs


def _tiling_rules(tiling: dict[str, Any]) -> tuple[ChunkRule, ChunkRule]:
    """The official attributes as rules of encoding and decoding."""
    size, latent_size = tiling["tile_sample_min_size"], tiling["tile_latent_min_size"]

    def tiles(size: int, output_size: int) -> OfficialTiling:
        overlap = int(output_size * tiling["tile_overlap_factor"])
        stride = int(size * (1 - tiling["tile_overlap_factor"]))
        return OfficialTiling(size, stride, output_size - overlap, overlap, stops_at_border=False)

    return (
        ChunkRule(tiling["tile_sample_min_size_t"] - 1, tiles(size, latent_size)),
        ChunkRule(tiling["tile_latent_min_size_t"] - 1, tiles(latent_size, size)),
    )


def _tokenizer(parameters: dict[str, Any]) -> CausalVAETokenizer:
    built = CausalVAEConfig.from_parameters(parameters)
    spec = TokenizerSpec(
        name="golden",
        family="opensora_plan",
        title="Open-Sora-Plan",
        regularizer="kl",
        causal=True,
        temporal_compression=built.temporal_compression,
        spatial_compression=built.spatial_compression,
        latent_channels=built.embed_dim,
    )
    return CausalVAETokenizer(spec, parameters)
