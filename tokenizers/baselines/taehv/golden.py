"""The tensors that a TAEHV golden folder stores, computed by this implementation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...golden import ClipGoldens, given_parameters
from .adapter import TAEHVTokenizer
from .config import TAEHVConfig

_FIXED = {"decoder_space_upscale": [True, True, True]}
"""A decoder that leaves a doubling out makes previews of another size, which aren't reconstructions."""


def golden_parameters(config: dict[str, Any], state: dict[str, Tensor]) -> dict[str, Any]:
    """The parameters, as of a card, of the network that a golden's ``config.json`` and weights describe.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    given = given_parameters(TAEHVConfig, config["arch"], _FIXED)
    # The two further decoders are told by their weights, as upstream tells them by file names.
    if "decoder.0.weight" in state:
        given["variant"] = "super"
    elif "decoder.3.conv.6.weight" in state:
        given["variant"] = "wide"
    return given


def _outputs(tokenizer: TAEHVTokenizer, clip: Tensor) -> dict[str, Tensor]:
    latent = tokenizer.model.encode(clip)
    return {
        "latent": latent,
        "raw_decoder": tokenizer.model.decode_patches(latent),
        "recon": tokenizer.model.decode(latent),
    }


def golden_outputs(
    config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
) -> dict[str, Tensor]:
    """Every tensor of a case, by its name in the golden file; pixels are in [0, 1].

    Raises:
        UnsupportedGolden: for a case or parameters that don't exist here.
    """
    goldens = ClipGoldens(TAEHVTokenizer, lambda given: golden_parameters(given, state), _outputs)
    return goldens(config, state, inputs, case)
