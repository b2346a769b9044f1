"""What a card says of an autoencoder of diffusers: its class, and how that wants to be called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import TokenizerError


@dataclass(frozen=True)
class AutoencoderOptions:
    """A card's ``[parameters]``: which autoencoder, and how it wants to be called."""

    autoencoder: str
    """Name of the class, such as ``AutoencoderKLWan``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Constructor arguments that differ from the class's defaults."""
    config_file: str = ""
    """A ``config.json`` as diffusers writes it, read before ``config``; relative to the card."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes to set on the model, such as ``use_framewise_decoding = false``."""
    tiling: bool = False
    """Whether the class's own tiling is switched on; the result then depends on its tiles."""
    frames: Literal["clip", "images"] = "clip"
    """``images``: the encoder takes frames as a batch of images (B · T, 3, H, W)."""
    decoder_layout: Literal["BCTHW", "BTCHW"] = "BCTHW"
    """Order of the axes of what the decoder returns."""
    lead_frames: int = 0
    """Copies of the first frame to put in front of a clip; the decoder doesn't return them."""
    timestep: float | None = None
    """For decoders that are conditioned on one."""
    single_clips: bool = False
    """Whether the class computes one clip at a time only, and fails for more."""
    looks_ahead: str = ""
    """What lets a model declared causal see later frames, in words; empty if nothing does."""
    dropped_prefixes: Sequence[str] = ()
    """Tensors of the checkpoint that aren't the model's: those whose names start so."""

    @property
    def arguments(self) -> dict[str, Any]:
        """All constructor arguments that the card gives, itself or through its ``config_file``.

        Raises:
            TokenizerError: if the file can't be read or is another class's.
        """
        if not self.config_file:
            return dict(self.config)
        try:
            stored = dict(json.loads(Path(self.config_file).read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError) as error:
            raise TokenizerError(f"{self.config_file}: can't be read as a diffusers config ({error})") from error
        if stored.get("_class_name", self.autoencoder) != self.autoencoder:
            raise TokenizerError(
                f"{self.config_file}: is the config of {stored['_class_name']}, not of {self.autoencoder}"
            )
        return {key: value for key, value in stored.items() if not key.startswith("_")} | dict(self.config)
