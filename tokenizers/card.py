"""A card: what a tokenizer variant is and where its weights lie, as a TOML file.

This module imports the standard library alone, so that cards can be listed without loading torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .adapters import first_path

if TYPE_CHECKING:
    from .interface import Regularizer, TokenizerSpec

REGULARIZERS: tuple[Regularizer, ...] = ("kl", "fsq", "lfq", "vq", "ae", "codec", "resize")
"""What a card may call its regularizer; the same as the contract's ``Regularizer``."""

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names are typed on the command line and become parts of file names."""

PROSE = ("name", "family", "title", "licence", "citation", "group", "note", "stand_in_for", "training", "source")
"""Fields that don't decide what comes out of the tokenizer."""


Choice = TypeVar("Choice", bound=str)


class CardError(ValueError):
    """A card that can't be used; the message names the file, the key and the hint."""


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


@dataclass(frozen=True)
class Card:
    """A tokenizer variant as its card describes it."""

    name: str
    """Unique name, as on the command line."""
    title: str
    """The name a paper's table prints, such as ``VidTok``."""
    family: str
    """The system it belongs to, such as ``vidtok``."""
    adapter: str
    """``module:callable``; a leading dot is relative to ``toklab.tokenizers``."""
    regularizer: Regularizer
    causal: bool
    """Causal tokenizers see windows of chunk + 1 frames, the others of chunk frames."""
    temporal_compression: int
    spatial_compression: int
    latent_channels: int | None = None
    """Channels of the latent; ``None`` for codecs."""
    codebook_size: int | None = None
    """Codes of one codebook; ``None`` for continuous tokenizers."""
    num_codebooks: int = 1
    codebook_levels: tuple[int, ...] = ()
    """Levels of a scalar quantizer, dimension by dimension."""
    frame_multiple: int = 1
    """Legal frame counts are ``frame_offset + frame_multiple * n``."""
    frame_offset: int = 0
    size_multiple: int = 1
    """Heights and widths must be multiples of this."""
    licence: str = ""
    citation: str = ""
    group: str = ""
    """Group it is compared in; empty: follows from the regularizer."""
    note: str = ""
    """Anything a reader should know."""
    stand_in_for: str = ""
    """Name of a card in whose place suites run this one: a tiny model, say, for one that must be downloaded."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Handed to the adapter as they are."""
    checkpoint: CheckpointSource = field(default_factory=CheckpointSource)
    training: TrainingRecord | None = None
    """How the weights were made, where toklab made them."""
    source: Traversable = field(default=Path())
    """The file it was read from."""

    @property
    def spec(self) -> TokenizerSpec:
        """The card as the tokenizer contract's spec."""
        from .interface import FrameRule, TokenizerSpec

        return TokenizerSpec(
            name=self.name,
            family=self.family,
            title=self.title,
            regularizer=self.regularizer,
            causal=self.causal,
            temporal_compression=self.temporal_compression,
            spatial_compression=self.spatial_compression,
            latent_channels=self.latent_channels,
            codebook_size=self.codebook_size,
            num_codebooks=self.num_codebooks,
            codebook_levels=self.codebook_levels,
            frame_rule=FrameRule(self.frame_multiple, self.frame_offset),
            size_multiple=self.size_multiple,
            licence=self.licence,
            citation=self.citation,
            weights=self.checkpoint.description,
            group=self.group,
        )

    @property
    def identity(self) -> str:
        """Canonical hash of what decides the output: all but the prose, 16 hexadecimal digits.

        The checkpoint's ``sha256`` is left out: the weights have an identity of their own, and writing down the hash
        of a file changes nothing about it.
        """
        deciding = {name: value for name, value in vars(self).items() if name not in (*PROSE, "checkpoint")}
        deciding["adapter"] = first_path(self.adapter)
        deciding["checkpoint"] = self.checkpoint.deciding
        return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_card(source: Traversable) -> Card:
    """Read and check one card.

    Raises:
        CardError: naming the file and the key where the file is no TOML, a key is missing or unknown, a value has the
            wrong type, or values contradict each other.
    """
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"{source}: can't be read as a card (TOML): {error}") from error
    return card_from_values(values, source)


def card_from_values(values: dict[str, Any], source: Traversable) -> Card:
    """Check the values of one card; ``source`` is the file that errors name and that paths are relative to.

    Raises:
        CardError: as :func:`read_card`.
    """
    table = _Table(values, str(source))
    frame_rule = table.table("frame_rule")
    card = Card(
        name=table.text("name", required=True),
        title=table.text("title", required=True),
        family=table.text("family", required=True),
        adapter=table.text("adapter", required=True),
        regularizer=table.choice("regularizer", REGULARIZERS),
        causal=table.flag("causal"),
        temporal_compression=table.number("temporal_compression"),
        spatial_compression=table.number("spatial_compression"),
        latent_channels=table.optional_number("latent_channels"),
        codebook_size=table.optional_number("codebook_size", minimum=2),
        num_codebooks=table.number("num_codebooks", default=1),
        codebook_levels=table.numbers("codebook_levels"),
        frame_multiple=frame_rule.number("multiple", default=1),
        frame_offset=frame_rule.number("offset", default=0, minimum=0),
        size_multiple=table.number("size_multiple", default=1),
        licence=table.text("licence"),
        citation=table.text("citation"),
        group=table.text("group"),
        note=table.text("note"),
        stand_in_for=table.text("stand_in_for"),
        parameters=table.table("parameters").values,
        checkpoint=_read_checkpoint(table.table("checkpoint")),
        training=_read_training(table.table("training")),
        source=source,
    )
    frame_rule.refuse_unknown_keys()
    table.refuse_unknown_keys()
    if not NAME_PATTERN.fullmatch(card.name):
        raise table.error("name", f"holds letters, digits, '.', '_' and '-' only, not {card.name!r}")
    if ":" not in card.adapter:
        raise table.error("adapter", f"is written module:callable, not {card.adapter!r}")
    if card.codebook_levels and math.prod(card.codebook_levels) != card.codebook_size:
        raise table.error(
            "codebook_levels",
            f"multiply to {math.prod(card.codebook_levels)}, but codebook_size is {card.codebook_size}",
        )
    return card


def _read_checkpoint(table: _Table) -> CheckpointSource:
    checkpoint = CheckpointSource(
        repository=table.text("repository"),
        file=table.text("file"),
        revision=table.text("revision"),
        subfolder=table.text("subfolder"),
        path=table.text("path"),
        hint=table.text("cure"),
        sha256=table.text("sha256").lower(),
        random_seed=table.optional_number("random_seed", minimum=0),
    )
    checkpoint = replace(checkpoint, also=_read_second_file(table.table("also"), checkpoint))
    table.refuse_unknown_keys()
    sources = [bool(checkpoint.repository), bool(checkpoint.path), checkpoint.random_seed is not None]
    if sum(sources) > 1 or (table.values and not any(sources)):
        raise table.error("", "names one of repository (with file), path and random_seed")
    if bool(checkpoint.repository) != bool(checkpoint.file):
        raise table.error("", "names repository and file together")
    _check_sha256(table, checkpoint.sha256)
    return checkpoint


def _read_second_file(table: _Table, first: CheckpointSource) -> CheckpointSource | None:
    if not table.values:
        return None
    if not first.repository and not first.path:
        raise table.error("", "goes with a repository or a path")
    key = "path" if first.path else "file"
    name, sha256 = table.text(key, required=True), table.text("sha256").lower()
    table.refuse_unknown_keys()
    _check_sha256(table, sha256)
    return replace(first, sha256=sha256, path=name) if first.path else replace(first, sha256=sha256, file=name)


def _check_sha256(table: _Table, sha256: str) -> None:
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise table.error("sha256", "is 64 hexadecimal digits")


def _read_training(table: _Table) -> TrainingRecord | None:
    if not table.values:
        return None
    record = TrainingRecord(
        recipe=table.text("recipe", required=True),
        command=table.text("command", required=True),
        data=table.text("data", required=True),
        steps=table.number("steps"),
        seed=table.number("seed", minimum=0),
        seconds=table.number("seconds", minimum=0),
        device=table.text("device", required=True),
        validation=table.text("validation", required=True),
        psnr=table.real("psnr"),
    )
    table.refuse_unknown_keys()
    return record


class _Table:
    """A TOML table that hands out typed values and, in the end, refuses the keys nobody asked for."""

    def __init__(self, values: dict[str, Any], file: str, prefix: str = ""):
        self.values = values
        self._file = file
        self._prefix = prefix
        self._known: set[str] = set()

    def error(self, key: str, problem: str) -> CardError:
        return CardError(f"{self._file}: {(self._prefix + key).rstrip('.')} {problem}")

    def _take(self, key: str, kind: type, kind_in_words: str) -> Any:
        self._known.add(key)
        value = self.values.get(key)
        # TOML's booleans are Python integers.
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise self.error(key, f"must be {kind_in_words}, not {value!r}")
        return value

    def _require(self, key: str, value: Any) -> Any:
        if value is None:
            raise self.error(key, "is missing")
        return value

    def text(self, key: str, *, required: bool = False) -> str:
        value = self._take(key, str, "a string")
        return (self._require(key, value or None) if required else value) or ""

    def choice(self, key: str, choices: tuple[Choice, ...]) -> Choice:
        value = self.text(key, required=True)
        for choice in choices:
            if value == choice:
                return choice
        raise self.error(key, f"must be one of {', '.join(choices)}, not {value!r}")

    def flag(self, key: str) -> bool:
        return self._require(key, self._take(key, bool, "true or false"))

    def optional_number(self, key: str, *, minimum: int = 1) -> int | None:
        value = self._take(key, int, "a whole number")
        if value is not None and value < minimum:
            raise self.error(key, f"must be at least {minimum}, not {value}")
        return value

    def number(self, key: str, *, default: int | None = None, minimum: int = 1) -> int:
        value = self.optional_number(key, minimum=minimum)
        return self._require(key, default) if value is None else value

    def real(self, key: str) -> float:
        return self._require(key, self._take(key, float, "a number with a decimal point"))

    def numbers(self, key: str) -> tuple[int, ...]:
        values = self._take(key, list, "a list of whole numbers") or []
        if not all(type(value) is int and value >= 1 for value in values):
            raise self.error(key, f"must be a list of whole numbers from 1, not {values!r}")
        return tuple(values)

    def table(self, key: str) -> _Table:
        return _Table(self._take(key, dict, "a table") or {}, self._file, f"{self._prefix}{key}.")

    def refuse_unknown_keys(self) -> None:
        unknown = sorted(set(self.values) - self._known)
        if unknown:
            raise self.error(unknown[0], f"is no key of a card; there are: {', '.join(sorted(self._known))}")
