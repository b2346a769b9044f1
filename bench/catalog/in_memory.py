"""A model that is in memory already as a tokenizer of the catalog: a model in training, say."""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import secrets
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

import torch
from torch import Tensor, nn

from ...tokenizers.catalog import freeze
from ...tokenizers.interface import Encoded, InferenceSettings, TokenizerError, TokenizerSpec, VideoTokenizer
from .tokenizer_entry import state_identity

ROLES = ("encoder", "decoder")
"""Parts of a wrapped model that are counted apart, where it has them under these names."""


class WrappedTokenizer(VideoTokenizer):
    """Any object with ``encode`` and ``decode`` as a tokenizer.

    ``encode`` takes a video (B, 3, T, H, W) in [-1, 1] and returns a tensor, floating (latents) or integer (codes), or
    an :class:`Encoded`; ``decode`` takes what ``encode`` returned and returns a video.
    """

    def __init__(self, model: Any, spec: TokenizerSpec):
        super().__init__(spec)
        self._model = model
        self._returns_encoded = False

    def modules(self) -> dict[str, nn.Module]:
        """The model, and its encoder and decoder where it has them."""
        if not isinstance(self._model, nn.Module):
            return {}
        parts = {role: part for role in ROLES if isinstance(part := getattr(self._model, role, None), nn.Module)}
        return {**parts, "model": self._model}

    @property
    def dtype(self) -> torch.dtype:
        """The data type of the model's parameters."""
        parameters = (p for module in self.modules().values() for p in module.parameters() if p.is_floating_point())
        return next((parameter.dtype for parameter in parameters), torch.float32)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        found = self._model.encode(video)
        self._returns_encoded = isinstance(found, Encoded)
        if isinstance(found, Encoded):
            return found
        if not isinstance(found, Tensor):
            raise TokenizerError(
                f"{self.spec.name}: encode returned a {type(found).__name__}; return latents or codes as a tensor, or "
                "toklab.tokenizers.interface.Encoded"
            )
        if found.is_floating_point():
            return Encoded(latents=found)
        if self.spec.codebook_size is None:
            raise TokenizerError(f"{self.spec.name}: encode returned {found.dtype} codes; say codebook_size=…")
        return Encoded(codes=(found,), codebook_sizes=(self.spec.codebook_size,))

    def _decode(self, encoded: Encoded) -> Tensor:
        if self._returns_encoded:
            return self._model.decode(encoded)
        return self._model.decode(encoded.codes[0] if encoded.codes else encoded.latents)


def as_tokenizer(model: Any, **spec: Any) -> VideoTokenizer:
    """``model`` itself if it is a tokenizer, else wrapped with a spec of these fields of :class:`TokenizerSpec`.

    Required are ``causal``, ``temporal_compression`` and ``spatial_compression``; ``regularizer`` is ``vq`` where
    ``codebook_size`` is given, else ``ae``; ``name`` is the class's.

    Raises:
        TokenizerError: if the model has no ``encode`` and ``decode``, or the fields are unknown or too few.
    """
    if isinstance(model, VideoTokenizer):
        if spec:
            raise TokenizerError(f"{model.spec.name} has a spec of its own; leave out {', '.join(spec)}")
        return model
    if not all(callable(getattr(model, method, None)) for method in ("encode", "decode")):
        raise TokenizerError(f"a {type(model).__name__} has no encode and decode, so it is no tokenizer")
    known = {f.name: f for f in fields(TokenizerSpec)}
    if unknown := sorted(set(spec) - set(known)):
        raise TokenizerError(f"a spec has no {', '.join(unknown)}; it has {', '.join(known)}")
    name = spec.get("name", type(model).__name__)
    values = {
        "name": name,
        "title": name,
        "family": "in memory",
        "weights": "in memory",
        "regularizer": "ae" if spec.get("codebook_size") is None else "vq",
        **spec,
    }
    required = [f.name for f in known.values() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [field for field in required if field not in values]:
        raise TokenizerError(f"say what {name} is: {', '.join(f'{field}=…' for field in missing)}")
    return WrappedTokenizer(model, TokenizerSpec(**values))


def networks_of(tokenizer: VideoTokenizer) -> list[nn.Module]:
    """Every network of a tokenizer: those it names, and those it holds without naming them."""
    held = (value for value in vars(tokenizer).values() if isinstance(value, nn.Module))
    return list({id(network): network for network in (*tokenizer.modules().values(), *held)}.values())


class InMemoryTokenizer:
    """The catalog's entry of a model in memory."""

    origin = "in memory"

    def __init__(self, tokenizer: VideoTokenizer):
        self.name = tokenizer.spec.name
        self.tokenizer = tokenizer
        model = tokenizer._model if isinstance(tokenizer, WrappedTokenizer) else tokenizer
        self._model_class = type(model)
        # Without networks nothing tells two states of an object apart, so nothing of an earlier one is taken over.
        self._nonce = "" if networks_of(tokenizer) else secrets.token_hex(8)

    @property
    def identity(self) -> str:
        """Hash of the spec and of the class with its source, where that can be read."""
        try:
            source = inspect.getsource(self._model_class)
        except (OSError, TypeError):
            source = ""
        named = f"{self._model_class.__module__}.{self._model_class.__qualname__}"
        deciding = [named, source, asdict(self.tokenizer.spec), self._nonce]
        return hashlib.sha256(json.dumps(deciding, default=str).encode()).hexdigest()[:16]

    def spec(self) -> TokenizerSpec:
        """What the tokenizer is."""
        return self.tokenizer.spec

    def describe(self) -> dict[str, Any]:
        """The plain fields of its spec."""
        return {name: value for name, value in vars(self.tokenizer.spec).items() if isinstance(value, (str, int, bool))}

    def hint(self) -> str:
        """Always empty: nothing is missing."""
        return ""

    def missing_extra(self) -> str:
        """Always empty: nothing is missing."""
        return ""

    def weights_identity(self) -> str:
        """``state:…``, a hash of all parameters and buffers; ``none`` if it has none."""
        return state_identity({str(number): network for number, network in enumerate(networks_of(self.tokenizer))})

    def build(self, settings: InferenceSettings, device: str | torch.device = "cpu") -> VideoTokenizer:
        """The tokenizer itself, in evaluation mode, frozen, on ``device``, in its own precision."""
        self._require_own(settings)
        for network in networks_of(self.tokenizer):
            network.to(device).eval().requires_grad_(False)
        return freeze(self.tokenizer)

    def build_on_meta(self, settings: InferenceSettings | None = None) -> VideoTokenizer:
        """A copy without values, to count its work under its own settings; raises if others are given."""
        if settings is not None:
            self._require_own(settings)
        empty: dict[int, Any] = {}
        for network in networks_of(self.tokenizer):
            for parameter in network.parameters():
                empty[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
            for buffer in network.buffers():
                empty[id(buffer)] = torch.empty_like(buffer, device="meta")
        return freeze(copy.deepcopy(self.tokenizer, empty))

    def _require_own(self, settings: InferenceSettings) -> None:
        if settings != self.tokenizer.settings:
            raise TokenizerError(f"{self.name} is in memory and keeps the settings it was built with")
