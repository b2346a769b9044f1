"""The tensors that a Cosmos golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...golden import UnsupportedGolden
from ...state_dict import load_checkpoint
from .checkpoint import model_state
from .config import CosmosConfig
from .model import CosmosModel

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


def golden_config(config: dict[str, Any]) -> CosmosConfig:
    """The network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a variant that doesn't exist here.
    """
    arch = config["arch"]
    foreign = [f"{name} {arch[name]}" for name, value in _FIXED.items() if arch.get(name, value) != value]
    if foreign:
        raise UnsupportedGolden(", ".join(foreign))
    given = {name: arch[name] for name in _SAME_NAMES if name in arch}
    return CosmosConfig.from_parameters(
        {**given, "latent_channels": arch.get("latent_channels", arch.get("embedding_dim"))}
    )


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: the folder's ``config.json``.
        state: weights under the official names.
        inputs: ``input`` (B, 3, T, H, W) in [-1, 1], maybe with a suffix, such as ``input_long``.
        case: the name of the golden file.

    Raises:
        UnsupportedGolden: for a variant that doesn't exist here, or a case without inputs.
    """
    videos = {name.removeprefix("input"): value for name, value in inputs.items() if name.startswith("input")}
    if not videos:
        raise UnsupportedGolden(f"case {case}")
    own = golden_config(config)
    with torch.device("meta"):
        model = CosmosModel(own).eval()
    load_checkpoint(model, model_state(state, own), config.get("name", "cosmos"))
    model.place_wavelets()
    outputs: dict[str, Tensor] = {}
    for suffix, video in videos.items():
        outputs |= {f"{name}{suffix}": value for name, value in _outputs(model, video).items()}
        if not suffix:
            outputs["recon_1frame"] = _outputs(model, video[:, :, :1])["recon"]
    return outputs


def _outputs(model: CosmosModel, video: Tensor) -> dict[str, Tensor]:
    quantization = model.quantizer(model.encode(video))
    recon = model.decode(quantization.latents)
    if not quantization.codes:
        return {"latent": quantization.latents, "recon": recon}
    return {"indices": quantization.codes[0].int(), "codes": quantization.latents, "recon": recon}
