"""WF-VAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...errors import TokenizerError
from ...network_adapter import without_parallel
from ...networks.memory import Memory
from ...spec import InferenceSettings, TokenizerSpec
from ..remembering import RememberingTokenizer
from .config import WFVAEConfig
from .model import WFVAEModel
from .wavelets import standard_filters

FIRST_RELEASE_WAVELETS = "wavelet_tranform"
"""What the class that Open-Sora Plan v1.3 was saved with calls its transforms; it stores those of the levels alone."""
FIRST_RELEASE_CONNECTIONS = {"connect_l2.": "connect_l1.", "connect_l3.": "connect_l2."}
"""What that class calls the ways to and from the wavelet bands."""


class WFVAETokenizer(RememberingTokenizer[WFVAEConfig, WFVAEModel]):
    """A WF-VAE. One with group norms over the whole clip takes no chunks."""

    config_type = WFVAEConfig
    looks_ahead_through = "linear upsampling in time"

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        # All frames of a latent but the two that its first position becomes; the wavelets double time without it.
        self.looks_ahead = self.config.temporal_compression - 2 if self.config.t_interpolation == "trilinear" else 0
        if self.config.norm_type == "groupnorm":
            self.looks_ahead = None
            self.looks_ahead_through = "group norms over the whole clip"
            if self.settings.chunk_frames:
                raise TokenizerError(
                    f"{spec.name}: its group norms are over the whole clip, which chunks would change; "
                    "leave chunk_frames out"
                )

    def _build(self) -> WFVAEModel:
        return WFVAEModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        state = without_parallel(checkpoint)
        if any(".connect_l3." in name for name in state):
            state = {_renamed(name): value for name, value in state.items() if FIRST_RELEASE_WAVELETS not in name}
        return {**standard_filters(self.model), **state}

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder}

    def _encode_chunk(self, video: Tensor, memory: Memory) -> Tensor:
        return self.model.encode(video, memory)

    def _decode_chunk(self, latents: Tensor, memory: Memory) -> Tensor:
        return self.model.decode(latents, memory)


def _renamed(name: str) -> str:
    """The name of today of a tensor of the first release."""
    for first, now in FIRST_RELEASE_CONNECTIONS.items():
        if f".{first}" in name:
            return name.replace(f".{first}", f".{now}")
    return name
