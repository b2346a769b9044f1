"""The tensors that an OmniTokenizer golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...golden import UnsupportedGolden
from ...state_dict import load_checkpoint
from .checkpoint import model_state
from .config import OmniTokenizerConfig
from .model import OmniTokenizerModel

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


def golden_config(config: dict[str, Any]) -> OmniTokenizerConfig:
    """The network that a golden's ``config.json`` describes; its training resolution has no effect."""
    given = {ours: config["arch"][theirs] for theirs, ours in _NAMES.items() if theirs in config["arch"]}
    return OmniTokenizerConfig.from_parameters({**given, "use_vae": config["use_vae"]})


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: the folder's ``config.json``.
        state: weights under the official names.
        inputs: ``input`` (B, 3, T, H, H) in [-0.5, 0.5], maybe with a suffix, such as ``input_long``.
        case: the name of the golden file.

    Raises:
        UnsupportedGolden: for a case without inputs.
    """
    videos = {name.removeprefix("input"): value for name, value in inputs.items() if name.startswith("input")}
    if not videos:
        raise UnsupportedGolden(f"case {case}")
    with torch.device("meta"):
        model = OmniTokenizerModel(golden_config(config)).eval()
    load_checkpoint(model, model_state(state), config.get("name", "omnitokenizer"))
    outputs: dict[str, Tensor] = {}
    for suffix, video in videos.items():
        outputs |= {f"{name}{suffix}": value for name, value in _outputs(model, video).items()}
        if not suffix:
            outputs["recon_1frame"] = _outputs(model, video[:, :, :1])["recon"]
    return outputs


def _outputs(model: OmniTokenizerModel, video: Tensor) -> dict[str, Tensor]:
    features = model.encode(video)
    quantization = model.regularization(features)
    recon = model.decode(quantization.latents)
    if model.config.use_vae:
        return {"moments": features, "latent": quantization.latents, "recon": recon}
    normalized = F.normalize(features, dim=1)
    return {"prequant": normalized, "indices": quantization.codes[0], "quant": quantization.latents, "recon": recon}
