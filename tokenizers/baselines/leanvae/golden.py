"""The tensors that a LeanVAE golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...golden import ClipGoldens, given_parameters
from .adapter import LeanVAETokenizer
from .config import LeanVAEConfig
from .wavelets import haar_2d, haar_3d

_FIXED = {"use_tile_inference": False}


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    return given_parameters(LeanVAEConfig, config["arch"], _FIXED)


def _outputs(tokenizer: LeanVAETokenizer, clip: Tensor) -> dict[str, Tensor]:
    model = tokenizer.model
    embedding = model.encoder(clip)
    latent, log_variance = model.moments(embedding).chunk(2, 1)
    features = model.latent_bottleneck(latent.permute(0, 2, 3, 4, 1))
    image, video = model.decoder.bands(features)
    return {
        "dwt_image": haar_2d(clip[:, :, :1]),
        "dwt_video": haar_3d(clip[:, :, 1:]),
        "embedding": embedding,
        "latent": latent,
        "logvar_unused": log_variance.permute(0, 2, 3, 4, 1),
        "bottleneck_recon": features,
        "dwt_image_recon": image,
        "dwt_video_recon": video,
        "recon": model.decode(latent),
    }


golden_outputs = ClipGoldens(LeanVAETokenizer, golden_parameters, _outputs)
"""Every tensor of a case, by its name in the golden file; pixels are in [−0.5, 0.5]."""
