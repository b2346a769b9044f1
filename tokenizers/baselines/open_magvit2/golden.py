"""The tensors that an Open-MAGVIT2 golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...golden import ClipGoldens
from .adapter import OpenMagvit2Tokenizer
from .config import OpenMagvit2Config

IGNORED = ("double_z", "resolution")
"""Official parameters without effect on the network."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes."""
    parameters = {key: value for key, value in config["arch"].items() if key not in IGNORED}
    return {**parameters, "num_groups": config.get("norm_num_groups", OpenMagvit2Config.num_groups)}


def _outputs(tokenizer: OpenMagvit2Tokenizer, clip: Tensor) -> dict[str, Tensor]:
    model = tokenizer.model
    features = model.encoder(clip)
    quantization = model.quantizer(features)
    (indices,) = quantization.codes
    recon = model.decoder(quantization.latents)
    return {"prequant": features, "quant": quantization.latents, "indices": indices, "recon": recon}


golden_outputs = ClipGoldens(OpenMagvit2Tokenizer, golden_parameters, _outputs)
