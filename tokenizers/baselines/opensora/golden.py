"""The tensors that an Open-Sora golden folder stores, computed by this implementation."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from torch import Tensor

from ...golden import ClipGoldens, latent_and_recon
from .adapter import OpenSoraTokenizer
from .config import OpenSoraConfig


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes."""
    return {f.name: config[f.name] for f in fields(OpenSoraConfig) if f.name in config}


def _outputs(tokenizer: OpenSoraTokenizer, clip: Tensor) -> dict[str, Tensor]:
    model = tokenizer.model
    image_latents = model.spatial_moments(clip).chunk(2, 1)[0]
    return {
        "spatial_latent": image_latents * model.config.spatial_latent_factor,
        "spatial_recon": model.spatial_decode(image_latents),
        **latent_and_recon(tokenizer, clip),
    }


golden_outputs = ClipGoldens(OpenSoraTokenizer, golden_parameters, _outputs)
