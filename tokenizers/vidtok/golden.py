"""The tensors that a VidTok golden folder stores, computed by this implementation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..golden import UnsupportedGolden, golden_tokenizer
from .adapter import VidTokTokenizer
from .model import VidTokModel
from .streaming import encode_stream, reconstruct_stream

_REGULARIZERS = {"DiagonalGaussianRegularizer": "kl", "FSQRegularizer": "fsq"}


def golden_parameters(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` describes.

    Raises:
        UnsupportedGolden: for a regularizer that doesn't exist here.
    """
    target = config["encoder_target"]
    variant = "noncausal" if "noncausal" in target else "causal_v1_1" if "v1_1" in target else "causal"
    name = config["regularizer"]["target"].rsplit(".", 1)[-1]
    if name not in _REGULARIZERS:
        raise UnsupportedGolden(f"regularizer {name}")
    given = config["regularizer"]["params"]
    regularizer = {"kind": _REGULARIZERS[name]} | {key: given[key] for key in ("levels", "dim") if key in given}
    return {**config["params"], "variant": variant, "regularizer": regularizer}


@torch.no_grad()
def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file.

    Args:
        config: as in :mod:`toklab.tokenizers.golden`, like the others.
        state: the weights.
        inputs: ``x`` (B, 3, T, H, W), and ``noise`` where the sampled path is stored.
        case: ``io``, ``io_image`` or ``io_tiled``.

    Raises:
        UnsupportedGolden: for a variant or case that doesn't exist here.
    """
    if case not in ("io", "io_image", "io_tiled"):
        raise UnsupportedGolden(f"case {case}")
    if "x" not in inputs:
        raise ValueError(f"{config['name']}: case {case} needs the input x; io_tiled takes that of io")
    tokenizer = golden_tokenizer(VidTokTokenizer, golden_parameters(config), config["name"])
    tokenizer.load_state(state)
    model = tokenizer.model
    if case == "io_tiled":
        return _chunked_outputs(model, inputs["x"], config["cases"][case])
    features = model.encode(inputs["x"])
    quantization = model.regularization(features)
    outputs = {"enc_out": features, "z": quantization.latents, "recon": model.reconstruct(inputs["x"])}
    if quantization.codes:
        outputs["indices"] = quantization.codes[0].int()
    if "noise" in inputs:
        outputs["z_sample"] = model.regularization(features, inputs["noise"]).latents
    return outputs


def _chunked_outputs(model: VidTokModel, video: Tensor, runs: Iterable[str]) -> dict[str, Tensor]:
    """Outputs in the official chunked mode for runs named ``c<chunk>_ov``; those without overlap are left out."""
    outputs: dict[str, Tensor] = {}
    for run in runs:
        chunk, overlap = run.split("_")
        if overlap == "ov":
            num_frames = int(chunk.removeprefix("c"))
            features = torch.cat(list(encode_stream(model, [video], num_frames)), 2)
            outputs[f"z_{chunk}"] = model.regularization(features).latents
            outputs[f"recon_{run}"] = torch.cat(list(reconstruct_stream(model, [video], num_frames, "official")), 2)
    return outputs
