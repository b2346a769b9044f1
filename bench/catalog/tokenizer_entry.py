"""An entry of the tokenizer catalog: from a card or a plugin, described without torch, built on demand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...tokenizers import checkpoints
from ...tokenizers.adapters import PACKAGE, current_path, missing_extra
from ...tokenizers.card import Card
from ...tokenizers.catalog import build_on_meta, build_tokenizer, freeze
from ...tokenizers.trust.cards import is_trusted
from .card_files import file_hashes
from .plugin_code import describe, plugin_code
from .plugins import Plugin
from .registry import RegistryError, import_target

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ...tokenizers.interface import InferenceSettings, TokenizerSpec, VideoTokenizer


REVISIONS = {"codec": "own-frame-rate"}
"""What changed in the output of tokenizers of a regularizer since the first ledgers, so that no cell mixes both."""


class CardTokenizer:
    """A tokenizer that a card describes."""

    def __init__(self, card: Card, origin: str):
        self.name = card.name
        self.origin = origin
        self.card = card

    @property
    def identity(self) -> str:
        """Hash of what decides the output, weights apart: the card, and the files and the code that it names."""
        named = file_hashes(self.card)
        module = current_path(self.card.adapter).partition(":")[0]
        # What isn't trusted doesn't run, and finding a module may import the packages round it.
        if not module.startswith(f"{PACKAGE}.") and is_trusted(self.card):
            named[module] = _source_hash(module)
        files = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16] if named else ""
        revision = REVISIONS.get(self.card.spec.regularizer, "")
        return "+".join(filter(None, (self.card.identity, revision, files)))

    def spec(self) -> TokenizerSpec:
        """What the tokenizer is."""
        return self.card.spec

    def describe(self) -> dict[str, Any]:
        """What is known of it without loading torch: the card's plain fields, and where the weights come from."""
        plain = {name: value for name, value in self.card.facts.items() if isinstance(value, (str, int, bool))}
        levels = {"codebook_levels": list(self.card.spec.codebook_levels)}
        return {**plain, **levels, "weights": self.card.checkpoint.description}

    def hint(self) -> str:
        """What brings the missing weights; empty if they are here. Loads no torch."""
        return checkpoints.hint(self.card)

    def missing_extra(self) -> str:
        """The extra of toklab that it needs and this Python lacks; empty if it lacks none. Loads no torch."""
        return missing_extra(self.card.adapter)

    def weights_identity(self) -> str:
        """What the weights are; raises ``CheckpointUnavailable`` if they aren't here."""
        return checkpoints.weights_identity(self.card, checkpoints.resolve(self.card))

    def build(self, settings: InferenceSettings, device: str | torch.device = "cpu") -> VideoTokenizer:
        """The tokenizer with its weights, ready to measure; raises as ``build_tokenizer`` does."""
        # The adapter may be an outside package's.
        with plugin_code():
            return build_tokenizer(self.card, settings, device=device)

    def build_on_meta(self, settings: InferenceSettings | None = None) -> VideoTokenizer:
        """The tokenizer on the meta device, without weights, to count its work under these settings."""
        with plugin_code():
            return build_on_meta(self.card, settings and settings.of_work)


class FactoryTokenizer:
    """A tokenizer that a plugin's callable builds; nothing is known of it before that is imported."""

    def __init__(self, plugin: Plugin):
        self.name = plugin.name
        self.origin = plugin.origin
        self._target = plugin.target

    @property
    def identity(self) -> str:
        """Hash of the plugin's target, its origin with version, and its module's file; runs none of its code."""
        source = _source_hash(self._target.partition(":")[0])
        return hashlib.sha256(json.dumps([self._target, self.origin, source]).encode()).hexdigest()[:16]

    def spec(self) -> TokenizerSpec:
        """What the tokenizer is; builds it once to find out."""
        return self._facts[0]

    def describe(self) -> dict[str, Any]:
        """What is known of it without importing it."""
        return {"name": self.name, "title": self.name, "family": "plugin", "weights": "the plugin's own"}

    def hint(self) -> str:
        """Always empty: what a plugin lacks shows when it is built."""
        return ""

    def missing_extra(self) -> str:
        """Always empty: what a plugin lacks shows when it is built."""
        return ""

    def weights_identity(self) -> str:
        """``state:…``, a hash of all parameters and buffers; ``none`` if it has none."""
        return self._facts[1]

    @cached_property
    def factory(self) -> Callable[[InferenceSettings], object]:
        """The plugin's callable, imported; raises :class:`RegistryError` if it doesn't work."""
        try:
            with plugin_code():
                factory = import_target(self._target)
        except Exception as error:
            # A plugin's module may raise anything at all.
            raise RegistryError(
                f"the tokenizer {self.name!r} of {self.origin} can't be imported: {describe(error)}"
            ) from error
        if not callable(factory):
            raise RegistryError(
                f"the tokenizer {self.name!r} of {self.origin} is a {type(factory).__name__}, but must be a callable "
                "that takes the inference settings; a package of cards is named without ':object'"
            )
        return factory

    def build(self, settings: InferenceSettings, device: str | torch.device = "cpu") -> VideoTokenizer:
        """The tokenizer as the plugin builds it, in evaluation mode, frozen, on ``device``."""
        from ...tokenizers.interface import TokenizerSpec, VideoTokenizer

        factory = self.factory
        with plugin_code():
            tokenizer = factory(settings)
            if not isinstance(tokenizer, VideoTokenizer):
                given = type(tokenizer).__name__
                raise RegistryError(f"{self.name!r} of {self.origin} gives a {given}, no VideoTokenizer")
            if not isinstance(tokenizer.spec, TokenizerSpec):
                given = type(tokenizer.spec).__name__
                raise RegistryError(f"the spec of {self.name!r} of {self.origin} is a {given}, no TokenizerSpec")
            if tokenizer.settings != settings:
                raise RegistryError(f"{self.name!r} of {self.origin} isn't built with the settings it is given")
            return freeze(tokenizer).to(device)

    def build_on_meta(self, settings: InferenceSettings | None = None) -> VideoTokenizer:
        """The tokenizer built under torch's meta device, to count its work under these settings."""
        import torch

        from ...tokenizers.interface import InferenceSettings

        with torch.device("meta"):
            return self.build((settings or InferenceSettings()).of_work, "meta")

    @cached_property
    def _facts(self) -> tuple[TokenizerSpec, str]:
        from ...tokenizers.interface import InferenceSettings

        tokenizer = self.build(InferenceSettings())
        with plugin_code():
            return tokenizer.spec, state_identity(tokenizer.modules())


def _source_hash(module: str) -> str:
    """SHA-256 of a module's file, which isn't run; empty where it isn't found."""
    try:
        with plugin_code():
            found = _module_spec(module)
        return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest() if found and found.origin else ""
    except Exception:
        # A package may raise anything at all; building the tokenizer gives the reason.
        return ""


def _module_spec(name: str) -> ModuleSpec | None:
    """Where a module is, without importing the packages round it where their folders tell."""
    top, *inner = name.split(".")
    found = find_spec(top)
    try:
        for number in range(1, len(inner) + 1):
            folders = found.submodule_search_locations if found is not None else None
            found = PathFinder.find_spec(".".join([top, *inner[:number]]), folders) if folders else None
    except KeyError:
        # A namespace package inside one that isn't imported.
        found = None
    # Where the folders don't tell, the packages have to be imported.
    return found if found is not None and found.origin else find_spec(name)


def state_identity(networks: Mapping[str, nn.Module]) -> str:
    """``state:`` and the SHA-256 of all parameters and buffers with their names; ``none`` if there are none."""
    import torch

    digest, weights = hashlib.sha256(), "none"
    for role, module in sorted(networks.items()):
        for key, value in module.state_dict().items():
            digest.update(f"{role}.{key}:{value.dtype}:{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
            weights = f"state:{digest.hexdigest()}"
    return weights


class TokenizerEntry(Protocol):
    """A tokenizer of the catalog."""

    @property
    def name(self) -> str:
        """Its name on the command line."""
        ...

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        ...

    @property
    def identity(self) -> str:
        """Hash of what decides the output, weights apart."""
        ...

    def spec(self) -> TokenizerSpec:
        """What the tokenizer is."""
        ...

    def describe(self) -> dict[str, Any]:
        """What is known of it without building it, as plain values."""
        ...

    def hint(self) -> str:
        """What brings the missing weights; empty if they are here."""
        ...

    def missing_extra(self) -> str:
        """The extra of toklab that it needs and this Python lacks; empty if it lacks none."""
        ...

    def weights_identity(self) -> str:
        """What the weights are."""
        ...

    def build(self, settings: InferenceSettings, device: str | torch.device = "cpu") -> VideoTokenizer:
        """The tokenizer with its weights, ready to measure."""
        ...

    def build_on_meta(self, settings: InferenceSettings | None = None) -> VideoTokenizer:
        """The tokenizer without weights, to count its work under these settings."""
        ...
