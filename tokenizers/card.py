"""A card: what a tokenizer variant is, how it is built and where its weights lie. Loads no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .adapters import first_path
from .errors import TokenizerError
from .spec import TokenizerSpec

Config = TypeVar("Config")

PROSE = ("name", "family", "title", "licence", "citation", "group", "note", "stand_in_for")
"""Facts of a card that don't decide what comes out of the tokenizer."""


@dataclass(frozen=True)
class CheckpointSource:
    """Where a card's weights come from: a repository, a file, a seed, or nowhere."""

    repository: str = ""
    """Hugging Face repository, ``owner/name``."""
    file: str = ""
    """File inside the repository (and its ``subfolder``)."""
    revision: str = ""
    """Branch, tag or commit; empty: the repository's main branch."""
    subfolder: str = ""
    """Folder of the repository that holds the file; empty where ``file`` is the whole path."""
    path: str = ""
    """File on this machine, relative to the card's folder."""
    hint: str = ""
    """What brings the file of ``path`` where it isn't there, in words; empty: whoever wrote the card knows."""
    sha256: str = ""
    """SHA-256 of the file, hexadecimal; empty: not known, hence not checked."""
    random_seed: int | None = None
    """Seed of random weights."""
    also: CheckpointSource | None = None
    """A second file from the same place, for models that come in two."""

    @property
    def kind(self) -> Literal["repository", "path", "random", "none"]:
        """Which of the four it is."""
        if self.repository:
            return "repository"
        if self.path:
            return "path"
        return "none" if self.random_seed is None else "random"

    @property
    def repository_path(self) -> str:
        """The file's path inside the repository."""
        return f"{self.subfolder}/{self.file}" if self.subfolder else self.file

    @property
    def description(self) -> str:
        """In words for the reader of a table."""
        if self.also:
            return f"{replace(self, also=None).description} and {self.also.path or self.also.file}"
        words = {
            "repository": f"{self.repository}: {self.repository_path}",
            "path": self.path,
            "random": f"random (seed {self.random_seed})",
            "none": "none",
        }
        return words[self.kind]

    @property
    def deciding(self) -> dict[str, Any]:
        """The fields that say which weights they are; hashes are left out, and so is a second file if there is none."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("sha256", "also", "hint")}
        return values | ({"also": self.also.deciding} if self.also else {})


NOT_RECORDED = "not recorded"
"""In the place of a fact of a training that nobody kept."""


@dataclass(frozen=True)
class TrainingRecord:
    """How toklab trained the weights of a card."""

    recipe: str
    """Name of the recipe."""
    command: str
    """The command that repeats the training."""
    data: str
    """What it was trained on, in words."""
    steps: int
    """Optimizer steps."""
    seed: int
    seconds: int
    """Time it took, without the time a training stood still between a kill and its resume."""
    device: str
    """What it ran on."""
    validation: str
    """On which clips ``psnr`` was measured, in words."""
    psnr: float
    """Of the final weights, in dB: mean over frames."""
    start_psnr: float | None = None
    """Of the weights that training started from; ``None``: not recorded."""
    recipe_hash: str = NOT_RECORDED
    """:attr:`toklab.tokenizers.training.recipe.Recipe.identity` of what was trained."""
    data_hash: str = NOT_RECORDED
    """:func:`toklab.datasets.identity.list_identity` of the videos; ``none``: synthetic clips alone."""
    init_hash: str = NOT_RECORDED
    """SHA-256 of the weights file that training started from; ``none``: no file, weights drawn or fitted."""

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, words for what nobody kept."""
        return {name: NOT_RECORDED if value is None else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Card:
    """A tokenizer variant as its card describes it."""

    spec: TokenizerSpec
    """What the variant is; its ``weights`` are always the words for ``checkpoint``."""
    adapter: str
    """``module:callable``; a leading dot is relative to ``toklab.tokenizers``."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the adapter as they are."""
    checkpoint: CheckpointSource = field(default_factory=CheckpointSource)
    note: str = ""
    """Anything a reader should know."""
    stand_in_for: str = ""
    """Name of a card in whose place suites run this one: a tiny model, say, for one that must be downloaded."""
    training: TrainingRecord | None = None
    """How the weights were made, where toklab made them."""
    source: Traversable = field(default=Path())
    """The file it was read from."""
    trusted: bool = False
    """Whether it came with toklab or with a package that the user installed, so that code it names may run."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", replace(self.spec, weights=self.checkpoint.description))

    @property
    def name(self) -> str:
        """Unique name, as on the command line."""
        return self.spec.name

    @property
    def facts(self) -> dict[str, Any]:
        """What describes the variant: strings, numbers, flags and lists of the card by name, without its tables."""
        spec = {
            f.name: getattr(self.spec, f.name) for f in fields(self.spec) if f.name not in ("frame_rule", "weights")
        }
        rule = {"frame_multiple": self.spec.frame_rule.multiple, "frame_offset": self.spec.frame_rule.offset}
        return {**spec, **rule, "adapter": self.adapter, "note": self.note, "stand_in_for": self.stand_in_for}

    @property
    def identity(self) -> str:
        """Canonical hash of what decides the output: all but the prose, 16 hexadecimal digits.

        The checkpoint's ``sha256`` is left out: the weights have an identity of their own, and writing down the hash
        of a file changes nothing about it.
        """
        deciding = {name: value for name, value in self.facts.items() if name not in PROSE}
        deciding["adapter"] = first_path(self.adapter)
        deciding["parameters"] = self.parameters
        deciding["checkpoint"] = self.checkpoint.deciding
        return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()[:16]


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}
"""Types of a card's values, in words for the message."""


def config_from(kind: type[Config], parameters: Mapping[str, Any], owner: str) -> Config:
    """A card's parameters as the fields of a dataclass; lists become tuples.

    Args:
        kind: the dataclass.
        parameters: values by field.
        owner: whose parameters they are, for the message.

    Raises:
        TokenizerError: on a name that is no field, a field without default that isn't given, or a value of another
            type than the field's or that isn't among the choices of a ``Literal``.
    """
    known = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    required = {name for name, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    problems = [f"unknown {name}" for name in sorted(set(parameters) - set(known))]
    problems += [f"missing {name}" for name in sorted(required - set(parameters))]
    if problems:
        raise TokenizerError(f"{owner} parameters: {', '.join(problems)}; there are: {', '.join(sorted(known))}")
    hints = get_type_hints(kind)
    for name, value in parameters.items():
        if not _fits(value, hints[name]):
            raise TokenizerError(f"{owner} parameters: {name} must be {_in_words(hints[name])}, not {value!r}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()})


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has the type of a field; a whole number is a number, too."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin in (tuple, Sequence):
        return isinstance(value, (list, tuple)) and all(_fits(one, inner[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return hint is Any or not isinstance(hint, type) or isinstance(value, hint)


def _in_words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        return " or ".join(_in_words(one) for one in inner if one is not NoneType)
    if origin in (tuple, Sequence):
        return f"a list in which each is {_in_words(inner[0])}"
    return WORDS.get(hint, "a table")
