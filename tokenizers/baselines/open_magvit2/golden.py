"""The tensors that an Open-MAGVIT2 golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .checkpoint import load_checkpoint
from .config import OpenMagvit2Config
from .model import OpenMagvit2Model

IGNORED = ("double_z", "resolution")
"""Official parameters without effect on the network."""


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: the folder's ``config.json``.
        state: weights under the official names.
        inputs: ``input`` and any ``input_*``, (B, 3, T, H, W).
        case: without effect; all are computed alike.
    """
    parameters = {key: value for key, value in config["arch"].items() if key not in IGNORED}
    groups = config.get("norm_num_groups", OpenMagvit2Config.num_groups)
    with torch.device("meta"):
        model = OpenMagvit2Model(OpenMagvit2Config.from_parameters({**parameters, "num_groups": groups})).eval()
    load_checkpoint(model, state, config.get("name", "open_magvit2"))

    def run(video: Tensor) -> dict[str, Tensor]:
        features = model.encoder(video)
        quantization = model.quantizer(features)
        (indices,) = quantization.codes
        recon = model.decoder(quantization.latents)
        return {"prequant": features, "quant": quantization.latents, "indices": indices, "recon": recon}

    outputs = run(inputs["input"])
    outputs["recon_1frame"] = run(inputs["input"][:, :, :1])["recon"]
    for name, video in inputs.items():
        if name.startswith("input_"):
            outputs |= {key + name.removeprefix("input"): value for key, value in run(video).items()}
    return outputs
