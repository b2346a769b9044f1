"""Cards as TOML files: reading them, with errors that name the file and the key. Loads no torch."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from .adapters import is_path
from .card import NOT_RECORDED, Card, CheckpointSource, TrainingRecord
from .errors import CardError
from .spec import REGULARIZERS, FrameRule, TokenizerSpec

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names are typed on the command line and become parts of file names."""

Choice = TypeVar("Choice", bound=str)


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
    spec = TokenizerSpec(
        name=table.text("name", required=True),
        title=table.text("title", required=True),
        family=table.text("family", required=True),
        regularizer=table.choice("regularizer", REGULARIZERS),
        causal=table.flag("causal"),
        temporal_compression=table.number("temporal_compression"),
        spatial_compression=table.number("spatial_compression"),
        latent_channels=table.optional_number("latent_channels"),
        codebook_size=table.optional_number("codebook_size", minimum=2),
        num_codebooks=table.number("num_codebooks", default=1),
        codebook_levels=table.numbers("codebook_levels"),
        frame_rule=FrameRule(
            frame_rule.number("multiple", default=1), frame_rule.number("offset", default=0, minimum=0)
        ),
        size_multiple=table.number("size_multiple", default=1),
        licence=table.text("licence"),
        citation=table.text("citation"),
        group=table.text("group"),
    )
    card = Card(
        spec,
        adapter=table.text("adapter", required=True),
        parameters=table.table("parameters").values,
        checkpoint=_read_checkpoint(table.table("checkpoint")),
        note=table.text("note"),
        stand_in_for=table.text("stand_in_for"),
        training=_read_training(table.table("training")),
        source=source,
    )
    frame_rule.refuse_unknown_keys()
    table.refuse_unknown_keys()
    if not NAME_PATTERN.fullmatch(spec.name):
        raise table.error("name", f"holds letters, digits, '.', '_' and '-' only, not {spec.name!r}")
    if not is_path(card.adapter):
        raise table.error("adapter", f"is written module:callable, not {card.adapter!r}")
    if spec.codebook_levels and math.prod(spec.codebook_levels) != spec.codebook_size:
        raise table.error(
            "codebook_levels",
            f"multiply to {math.prod(spec.codebook_levels)}, but codebook_size is {spec.codebook_size}",
        )
    return card


def _read_checkpoint(table: _Table) -> CheckpointSource:
    checkpoint = CheckpointSource(
        repository=table.text("repository"),
        file=table.text("file"),
        revision=table.text("revision"),
        subfolder=table.text("subfolder"),
        path=table.text("path"),
        hint=table.text("hint"),
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
        start_psnr=table.optional_real("start_psnr"),
        recipe_hash=table.text("recipe_hash") or NOT_RECORDED,
        data_hash=table.text("data_hash") or NOT_RECORDED,
        init_hash=table.text("init_hash") or NOT_RECORDED,
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

    def optional_real(self, key: str) -> float | None:
        return self._take(key, float, "a number with a decimal point")

    def real(self, key: str) -> float:
        return self._require(key, self.optional_real(key))

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
