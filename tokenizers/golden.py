"""What the families' golden modules share: a network with a golden's weights, and the outputs of every stored clip.

A family's module ``golden`` has one function, ``golden_outputs(config, state, inputs, case)``: every tensor of a golden
file, by its name there. ``config`` is the folder's ``config.json``; ``state`` holds weights under the official names;
``inputs`` is what the file stores; ``case`` is its name, such as ``io``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from .interface import VideoTokenizer
from .network_adapter import NetworkTokenizer
from .spec import TokenizerSpec

Adapter = TypeVar("Adapter", bound=NetworkTokenizer[Any, Any])

INPUT = "input"
"""Name of a stored clip, whole or before a suffix."""
ONE_FRAME = "_1frame"
"""Suffix of what the first frame of the clip without a suffix gives."""


class UnsupportedGolden(LookupError):
    """A golden of a variant, case or family that doesn't exist here yet."""


def golden_tokenizer(adapter: type[Adapter], parameters: dict[str, Any], name: str = "golden") -> Adapter:
    """The tokenizer of a golden's network, without weights; its spec is what the parameters build.

    Raises:
        TokenizerError: if the parameters are wrong.
    """
    known = {"name": name, "title": name, "family": "golden", "causal": True}
    built = adapter.config_type.from_parameters(parameters).spec_fields
    return adapter(TokenizerSpec(**{**known, **built}), parameters)


@dataclass(frozen=True)
class ClipGoldens(Generic[Adapter]):
    """The ``golden_outputs`` of a family whose goldens store clips: ``input``, and maybe others such as ``input_long``.

    Outputs have the suffix of their clip; those of the first frame of ``input`` have :data:`ONE_FRAME`.
    """

    adapter: type[Adapter]
    parameters: Callable[[dict[str, Any]], dict[str, Any]]
    """A card's parameters from ``config.json``; raises :class:`UnsupportedGolden` for a variant that isn't here."""
    run: Callable[[Adapter, Tensor], dict[str, Tensor]]
    """The outputs of a clip (B, 3, T, H, W), by name."""

    @torch.no_grad()
    def __call__(
        self, config: dict[str, Any], state: dict[str, Tensor], inputs: dict[str, Tensor], case: str
    ) -> dict[str, Tensor]:
        """Every tensor of a case, by its name in the golden file.

        Raises:
            UnsupportedGolden: for a variant or case that doesn't exist here.
        """
        if case != "io" or INPUT not in inputs:
            raise UnsupportedGolden(f"case {case}")
        tokenizer = golden_tokenizer(self.adapter, self.parameters(config))
        tokenizer.load_state(state)
        clips = {name.removeprefix(INPUT): clip for name, clip in inputs.items() if name.startswith(INPUT)}
        clips[ONE_FRAME] = inputs[INPUT][:, :, :1]
        outputs: dict[str, Tensor] = {}
        for suffix, clip in clips.items():
            outputs |= {f"{name}{suffix}": value for name, value in self.run(tokenizer, clip).items()}
        return outputs


def latent_and_recon(tokenizer: VideoTokenizer, clip: Tensor) -> dict[str, Tensor]:
    """``latent`` and ``recon`` of a clip (B, 3, T, H, W) through a continuous tokenizer."""
    encoded = tokenizer.encode(clip)
    assert encoded.latents is not None
    return {"latent": encoded.latents, "recon": tokenizer.decode(encoded)}


def given_parameters(kind: type, given: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """The official parameters that a config has a field for.

    Args:
        kind: the config, a dataclass whose fields have the official names.
        given: official parameters by name.
        fixed: as for :func:`refuse_others`.

    Raises:
        UnsupportedGolden: for a parameter whose value doesn't exist here.
    """
    refuse_others(given, fixed)
    return {f.name: given[f.name] for f in fields(kind) if f.name in given}


def refuse_others(given: dict[str, Any], fixed: dict[str, Any]) -> None:
    """Raise :class:`UnsupportedGolden` where an official parameter has another value than the ones that exist here.

    Args:
        given: official parameters by name.
        fixed: the only value of each that exists here; where it isn't given, it has that value.
    """
    foreign = [f"{name} = {given[name]}" for name, value in fixed.items() if given.get(name, value) != value]
    if foreign:
        raise UnsupportedGolden(", ".join(foreign))
