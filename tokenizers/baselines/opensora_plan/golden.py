"""The tensors that an Open-Sora-Plan golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...golden import ClipGoldens, given_parameters, golden_tokenizer, latent_and_recon
from ...networks.ldm.chunks import OfficialTiling
from .adapter import CausalVAETokenizer
from .chunked import ChunkRule
from .config import CausalVAEConfig

TILED_INPUT = "input_tiled"

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
    return given_parameters(CausalVAEConfig, config["arch"], _FIXED)


def _outputs(tokenizer: CausalVAETokenizer, clip: Tensor) -> dict[str, Tensor]:
    return {"moments": tokenizer.model.encode(clip), **latent_and_recon(tokenizer, clip)}


_WHOLE_CLIPS = ClipGoldens(CausalVAETokenizer, golden_parameters, _outputs)


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file; ``input_tiled`` goes through in the tiles of ``config``.

    Raises:
        UnsupportedGolden: for a case or parameters that don't exist here.
    """
    whole = {name: value for name, value in inputs.items() if name != TILED_INPUT}
    outputs = _WHOLE_CLIPS(config, state, whole, case)
    if TILED_INPUT in inputs:
        tokenizer = golden_tokenizer(CausalVAETokenizer, golden_parameters(config))
        tokenizer.load_state(state)
        encoding, decoding = _tiling_rules(config["tiling"])
        latents = torch.cat(list(tokenizer.encode_moments([inputs[TILED_INPUT]], encoding)), 2).chunk(2, 1)[0]
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
