"""The tensors that a CV-VAE golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...golden import UnsupportedGolden
from ...spec import TokenizerSpec
from .adapter import CVVAETokenizer
from .config import CVVAEConfig

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
    for name, value in _FIXED.items():
        if given.get(name, value) != value:
            raise UnsupportedGolden(f"{name} = {given[name]}")
    variant = "sd3" if "block_out_channels" in given else "sd"
    return {"variant": variant} | {
        name: given[name] or 0 for name in (*_READ[variant], *_READ_BY_BOTH) if name in given
    }


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
        UnsupportedGolden: for a case or parameters that don't exist here.
    """
    if case != "io":
        raise UnsupportedGolden(f"case {case}")
    tokenizer = _tokenizer(golden_parameters(config))
    tokenizer.load_state(state)
    video = inputs["input"]
    outputs = {"moments": torch.cat(list(tokenizer.encode_moments([video])), 2)}
    for suffix, clip in {"": video, "_1frame": video[:, :, :1], "_long": inputs.get("input_long")}.items():
        if clip is not None:
            encoded = tokenizer.encode(clip)
            assert encoded.latents is not None
            outputs |= {f"latent{suffix}": encoded.latents, f"recon{suffix}": tokenizer.decode(encoded)}
    return outputs


def _tokenizer(parameters: dict[str, Any]) -> CVVAETokenizer:
    built = CVVAEConfig.from_parameters(parameters)
    spec = TokenizerSpec(
        name="golden",
        family="cvvae",
        title="CV-VAE",
        regularizer="kl",
        causal=True,
        temporal_compression=built.temporal_compression,
        spatial_compression=built.spatial_compression,
        latent_channels=built.z_channels,
    )
    return CVVAETokenizer(spec, parameters)
