"""The tensors that a CV-VAE golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...golden import ClipGoldens, latent_and_recon, refuse_others
from .adapter import CVVAETokenizer

_READ = {
    "sd": ("ch", "ch_mult", "num_res_blocks", "z_channels"),
    "sd3": ("block_out_channels", "layers_per_block", "norm_num_groups", "out_channels"),
}
_READ_BY_BOTH = ("en_de_n_frames_a_time", "tile_spatial_size", "tile_overlap_ratio")
_FIXED = {
    "double_z": True,
    "in_channels": 3,
    "out_ch": 3,
    "attn_resolutions": [],
    "use_3d_conv": True,
    "half_3d": True,
    "causal_encoder": True,
    "causal_decoder": False,
    "encoder_attn_type": "vanilla-xformers",
    "decoder_attn_type": "spatial-temporal-xformer",
    "act_fn": "silu",
    "mid_block_add_attention": True,
    "time_n_compress": 4,
    "spatial_n_compress": 8,
}
"""Official parameters that exist here with the released models' values only."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    given = {**config.get("full_defaults", {}), **config["arch"]}
    refuse_others(given, _FIXED)
    variant = "sd3" if "block_out_channels" in given else "sd"
    return {"variant": variant} | {
        name: given[name] or 0 for name in (*_READ[variant], *_READ_BY_BOTH) if name in given
    }


def _outputs(tokenizer: CVVAETokenizer, clip: Tensor) -> dict[str, Tensor]:
    return {"moments": torch.cat(list(tokenizer.encode_moments([clip])), 2), **latent_and_recon(tokenizer, clip)}


golden_outputs = ClipGoldens(CVVAETokenizer, golden_parameters, _outputs)
