"""The official names of a CV-VAE's tensors; the variant ``sd3`` has diffusers' names, as its own code says."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .config import CVVAEConfig

_ATTENTION_NAMES = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def official_name(name: str, config: CVVAEConfig) -> str:
    """What the official code calls the tensor that the network here calls ``name``."""
    if config.variant == "sd":
        return name

    def level(match: re.Match[str]) -> str:
        index = int(match[2])
        # diffusers counts decoder levels in the order they run, from the coarsest.
        return f".{match[1]}_blocks.{index if match[1] == 'down' else config.num_levels - 1 - index}."

    name = re.sub(r"\.(down|up)\.(\d+)\.", level, name)
    name = name.replace(".block.", ".resnets.").replace(".nin_shortcut.", ".conv_shortcut.")
    name = re.sub(r"\.(down|up)sample\.", r".\1samplers.0.", name)
    name = re.sub(r"\.mid\.block_(\d)\.", lambda match: f".mid_block.resnets.{int(match[1]) - 1}.", name)
    name = re.sub(
        r"\.mid\.attn_1\.(\w+)\.", lambda match: f".mid_block.attentions.0.{_ATTENTION_NAMES[match[1]]}.", name
    )
    return name.replace(".norm_out.", ".conv_norm_out.")


def own_names(state: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], config: CVVAEConfig) -> dict[str, Tensor]:
    """An official checkpoint's tensors under the names, and in the shapes, of the network here.

    Kernels of one position are matrices in one code and convolutions in another. Names that the network doesn't have
    are kept, for the caller to refuse.
    """
    official = {official_name(name, config): name for name in shapes}
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        own = official.get(name, name)
        shape = shapes.get(own, value.shape)
        fits = list(shape[: value.ndim]) == list(value.shape) and shape.numel() == value.numel()
        renamed[own] = value.reshape(shape) if fits else value
    return renamed
