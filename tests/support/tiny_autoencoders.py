"""Small configurations of the autoencoders of diffusers, as cards with checkpoints in the real format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
from toklab.tokenizers.card import Card
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.catalog import load_cards

FOUR_OF_8 = [8, 8, 8, 8]
LTX_091: dict[str, Any] = {
    "decoder_block_out_channels": [16, 32, 64],
    "layers_per_block": [1] * 5,
    "decoder_layers_per_block": [1] * 4,
    "latent_channels": 8,
    "block_out_channels": FOUR_OF_8,
}
WAN: dict[str, Any] = {
    "base_dim": 4,
    "z_dim": 4,
    "dim_mult": [1] * 4,
    "num_res_blocks": 1,
    "latents_mean": [0.0] * 4,
    "latents_std": [1.0] * 4,
}
VIDTOK: dict[str, Any] = {"ch": 32, "ch_mult": [1] * 4, "num_res_blocks": 1}

TINY: dict[str, dict[str, Any]] = {
    "allegro": {"block_out_channels": FOUR_OF_8, "layers_per_block": 1, "norm_num_groups": 8},
    "cogvideox-2b": {
        "block_out_channels": FOUR_OF_8,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 2,
    },
    "cosmos-1.0-cv-8x8x8": {
        "latent_channels": 4,
        "encoder_block_out_channels": FOUR_OF_8,
        "decode_block_out_channels": FOUR_OF_8,
        "attention_resolutions": [8],
        "resolution": 64,
        "latents_mean": None,
        "latents_std": None,
    },
    "easyanimate-v5": {
        "block_out_channels": FOUR_OF_8,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 8,
    },
    "hunyuanvideo": {
        "block_out_channels": FOUR_OF_8,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    "hunyuanvideo-1.5": {"latent_channels": 8, "block_out_channels": [8, 16, 16, 32, 32], "layers_per_block": 1},
    "kvae-3d": {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "z_channels": 4},
    "ltx-video-0.9.0": {
        "latent_channels": 8,
        "block_out_channels": FOUR_OF_8,
        "decoder_block_out_channels": FOUR_OF_8,
        "layers_per_block": [1] * 5,
        "decoder_layers_per_block": [1] * 5,
    },
    "ltx-video-0.9.1": LTX_091,
    "ltx-video-0.9.5": LTX_091 | {"block_out_channels": [8, 8, 8, 16, 16]},
    "ltx-2": LTX_091,
    "mochi-1": {
        "latent_channels": 4,
        "encoder_block_out_channels": [32] * 4,
        "decoder_block_out_channels": [32] * 4,
        "layers_per_block": [1] * 5,
        "latents_mean": None,
        "latents_std": None,
    },
    "qwen-image": WAN,
    "sd-vae-ft-mse": {"block_out_channels": [32] * 4, "layers_per_block": 1},
    "svd": {"block_out_channels": [32] * 4, "layers_per_block": 1},
    "vidtok_fsq_causal_488_32768_v1_1-diffusers": VIDTOK,
    "vidtok_kl_causal_488_4chn_v1_1-diffusers": VIDTOK,
    "wan2.1": WAN,
    "wan2.2": WAN | {"decoder_base_dim": 4},
}
"""By the name of the card whose network each makes small."""

LATENT_CHANNELS = ("latent_channels", "z_dim", "z_channels")


def tiny_card(name: str, folder: Path, *, seed: int = 0) -> Card:
    """A card like that of ``name`` with a tiny network: its config.json and weights lie in ``folder``/vae."""
    card = load_cards()[name]
    options = dict(card.parameters)
    config = {**options.pop("config", {}), **TINY[name]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(diffusers, card.parameters["autoencoder"])(**config)
    model.save_pretrained(folder / "vae")
    channels = next((config[key] for key in LATENT_CHANNELS if config.get(key)), card.spec.latent_channels)
    lines = [
        f'name = "{name}-tiny"',
        f'title = "{card.spec.title}"',
        f'family = "{card.spec.family}"',
        f'adapter = "{card.adapter}"',
        f'regularizer = "{card.spec.regularizer}"',
        f"causal = {str(card.spec.causal).lower()}",
        f"temporal_compression = {card.spec.temporal_compression}",
        f"spatial_compression = {card.spec.spatial_compression}",
        f"latent_channels = {channels}",
        *([f"codebook_size = {card.spec.codebook_size}"] if card.spec.codebook_size else []),
        f"frame_rule = {{ multiple = {card.spec.frame_rule.multiple}, offset = {card.spec.frame_rule.offset} }}",
        f"size_multiple = {card.spec.size_multiple}",
        "[parameters]",
        'config_file = "vae/config.json"',
        *(f"{key} = {json.dumps(value)}" for key, value in options.items() if not isinstance(value, dict)),
        *(
            f"{key}.{inner} = {json.dumps(setting)}"
            for key, value in options.items()
            if isinstance(value, dict)
            for inner, setting in value.items()
        ),
        "[checkpoint]",
        'path = "vae/diffusion_pytorch_model.safetensors"',
    ]
    path = folder / f"{name}-tiny.toml"
    path.write_text("\n".join(lines) + "\n")
    return read_card(path)
