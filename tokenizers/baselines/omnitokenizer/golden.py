"""The tensors that an OmniTokenizer golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ...golden import ClipGoldens
from .adapter import OmniTokenizerTokenizer

_NAMES = {
    "dim": "dim",
    "heads": "heads",
    "dim_head": "dim_head",
    "enc": "enc_block",
    "dec": "dec_block",
    "td": "temporal_depth",
    "patch": "patch_size",
    "tp": "temporal_patch_size",
    "win": "window_size",
    "n_codes": "n_codes",
    "cdim": "codebook_dim",
}


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of a golden's ``config.json``; its training resolution has no effect."""
    given = {ours: config["arch"][theirs] for theirs, ours in _NAMES.items() if theirs in config["arch"]}
    return {**given, "use_vae": config["use_vae"]}


def _outputs(tokenizer: OmniTokenizerTokenizer, clip: Tensor) -> dict[str, Tensor]:
    """Of a clip in [-0.5, 0.5], which the network takes."""
    model = tokenizer.model
    features = model.encode(clip)
    quantization = model.regularization(features)
    recon = model.decode(quantization.latents)
    if model.config.use_vae:
        return {"moments": features, "latent": quantization.latents, "recon": recon}
    normalized = F.normalize(features, dim=1)
    return {"prequant": normalized, "indices": quantization.codes[0], "quant": quantization.latents, "recon": recon}


golden_outputs = ClipGoldens(OmniTokenizerTokenizer, golden_parameters, _outputs)
