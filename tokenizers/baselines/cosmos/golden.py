"""The tensors that a Cosmos golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...golden import ClipGoldens, latent_and_recon, refuse_others
from .adapter import CosmosTokenizer

_SAME_NAMES = (
    "levels",
    "z_channels",
    "channels",
    "channels_mult",
    "num_res_blocks",
    "attn_resolutions",
    "resolution",
    "patch_size",
    "temporal_compression",
    "spatial_compression",
)
_FIXED = {
    "encoder": "FACTORIZED",
    "decoder": "FACTORIZED",
    "formulation": "AE",
    "quantizer": "FSQ",
    "patch_method": "haar",
    "num_groups": 1,
    "z_factor": 1,
    "in_channels": 3,
    "out_channels": 3,
    "legacy_mode": False,
}
"""What all released video tokenizers have, hence all there is here."""


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a variant that doesn't exist here.
    """
    arch = config["arch"]
    refuse_others(arch, _FIXED)
    given = {name: arch[name] for name in _SAME_NAMES if name in arch}
    return {**given, "latent_channels": arch.get("latent_channels", arch.get("embedding_dim"))}


def _outputs(tokenizer: CosmosTokenizer, clip: Tensor) -> dict[str, Tensor]:
    if not tokenizer.config.levels:
        return latent_and_recon(tokenizer, clip)
    encoded = tokenizer.encode(clip)
    assert encoded.latents is not None
    return {"indices": encoded.codes[0].int(), "codes": encoded.latents, "recon": tokenizer.decode(encoded)}


golden_outputs = ClipGoldens(CosmosTokenizer, golden_parameters, _outputs)
