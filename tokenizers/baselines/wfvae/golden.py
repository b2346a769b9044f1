"""The tensors that a WF-VAE golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...golden import ClipGoldens, given_parameters
from .adapter import WFVAETokenizer
from .config import WFVAEConfig

_FIXED = {
    "use_attention": True,
    "attention_type": "AttnBlock3DFix",
    "dropout": 0,
    "l2_dowmsample_block": "Spatial2xTime2x3DDownsample",
    "l2_downsample_wavelet": "HaarWaveletTransform3D",
    "l2_upsample_block": "Spatial2xTime2x3DUpsample",
    "l2_upsample_wavelet": "InverseHaarWaveletTransform3D",
}
"""What all released models have, hence all there is here."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    return given_parameters(WFVAEConfig, config["arch"], _FIXED)


def _outputs(tokenizer: WFVAETokenizer, clip: Tensor) -> dict[str, Tensor]:
    model = tokenizer.model
    moments = model.encode(clip)
    latent = moments.chunk(2, 1)[0]
    encoded = model.encoder.coefficients(model.encoder.wavelet_transform_in.transform(clip))
    recon, decoded = model.decoder.decode(latent)
    return {
        "moments": moments,
        "latent": latent,
        "enc_l1_coeffs": encoded.level_1,
        "enc_l2_coeffs": encoded.level_2,
        "dec_l1_coeffs": decoded.level_1,
        "dec_l2_coeffs": decoded.level_2,
        "recon": recon,
    }


golden_outputs = ClipGoldens(WFVAETokenizer, golden_parameters, _outputs)
"""Every tensor of a case, by its name in the golden file."""
