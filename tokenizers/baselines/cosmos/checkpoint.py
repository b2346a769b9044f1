"""Official Cosmos checkpoints: the names of their tensors in diffusers' networks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from .config import CosmosConfig

CONSTANTS = ("wavelets", "_arange", "patch_size_buffer")
"""Last parts of the names of buffers that hold no weights: the wavelet filters and sizes."""

_RULES: tuple[tuple[str, str], ...] = (
    (r"\.conv3d\.", "."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.0\.", ".mid_block.attentions.0."),
    (r"\.mid\.attn_1\.1\.", ".mid_block.temp_attentions.0."),
    (r"\.attn\.(\d+)\.0\.", r".attentions.\1."),
    (r"\.attn\.(\d+)\.1\.", r".temp_attentions.\1."),
    (r"\.down\.(\d+)\.", r".down_blocks.\1."),
    (r"\.block\.(\d+)\.", r".resnets.\1."),
    (r"\.downsample\.", ".downsamplers.0."),
    (r"\.upsample\.", ".upsamplers.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.([qkv])\.(weight|bias)$", r".to_\1.\2"),
    (r"\.proj_out\.", ".to_out.0."),
    (r"\.(conv_in|conv_out|conv1|conv2)\.0\.", r".\1.conv_s."),
    (r"\.(conv_in|conv_out|conv1|conv2)\.1\.", r".\1.conv_t."),
)
"""Parts of official names, and what they are in diffusers' networks; applied in this order."""


def own_name(name: str, num_levels: int) -> str:
    """The name in :class:`~.model.CosmosModel` of an official tensor; decoder levels count from the coarsest there."""
    name = re.sub(r"^decoder\.up\.(\d+)\.", lambda m: f"decoder.up_blocks.{num_levels - 1 - int(m[1])}.", name)
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


def model_state(checkpoint: Mapping[str, Tensor], config: CosmosConfig) -> dict[str, Tensor]:
    """The tensors that the network calls, under their names in :class:`~.model.CosmosModel`."""
    uncalled = tuple(f"{module}." for module in config.uncalled_modules)
    return {
        own_name(name, len(config.channels_mult)): value
        for name, value in checkpoint.items()
        if not name.startswith(uncalled) and name.rsplit(".", 1)[-1] not in CONSTANTS
    }
