"""Suites: which tokenizers run on which datasets, under which protocol and settings, and what is measured."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...reports.text import one_line
from ...tokenizers.errors import did_you_mean
from ..ledger.atomic_files import write_text

Scalar = str | int | float | bool


SUITE_FILE = "suite.json"
"""In a run folder: the suite it was last run with."""

FOLDER_NAME = re.compile(r"[^./\\\s][^/\\]*")
"""What a suite may be called."""

DEFAULT_METRICS = (
    "psnr",
    "ssim",
    "lpips-vgg",
    "fvd-i3d",
    "bpp",
    "throughput-encode",
    "throughput-decode",
    "params",
    "macs",
)
"""What is measured where nobody says what."""


class SuiteError(ValueError):
    """A suite that doesn't exist or can't be understood."""


class Suite(BaseModel):
    """A benchmark as data. Its plan is every tokenizer × dataset × combination of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Names the run folder."""
    title: str = ""
    """One line for `toklab list suites` and the report's heading."""
    datasets: tuple[str, ...] = Field(min_length=1)
    """Names, with a root if need be: ``mcl-jcv``, ``folder:/data/clips``, ``own=folder:/data/clips``."""
    protocol: str = "vidtok"
    """Name of a shipped protocol, or path of a TOML file."""
    protocol_changes: dict[str, Scalar] = {}
    """Fields of the protocol that differ, such as ``height``."""
    tokenizers: tuple[str, ...] = Field(min_length=1)
    """Names of cards or plugins."""
    metrics: tuple[str, ...] = Field(min_length=1)
    """Names of metrics, in the order of the table's columns."""
    settings: dict[str, Scalar | list[Scalar]] = {}
    """Inference settings; a list gives one row for each value."""
    radar: tuple[str, ...] = ()
    """Metrics that are axes of the radar chart; empty: those with a direction among ``metrics``."""
    radar_scales: dict[str, list[float]] = {}
    """The worst and the best end of an axis of the radar chart, by metric: ``psnr = [18, 36]``."""
    published: bool = False
    """Whether published rows stand beside the measured ones."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not FOLDER_NAME.fullmatch(name) or one_line(name) != name:
            raise ValueError(f"must name a folder, without slashes, line breaks and a dot in front, not {name!r}")
        return name

    @field_validator("datasets", "tokenizers", "metrics", "radar", "protocol")
    @classmethod
    def _check_names(cls, names: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not all(name.strip() for name in ([names] if isinstance(names, str) else names)):
            raise ValueError("must not hold an empty name; remove it")
        return names

    @field_validator("settings", "protocol_changes")
    @classmethod
    def _check_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            listed = value if isinstance(value, list) else [value]
            if not listed:
                raise ValueError(f"{name} must not be an empty list; give a value, or remove {name}")
            for one in listed:
                if isinstance(one, float) and not math.isfinite(one):
                    raise ValueError(f"{name} must be finite, not {one}")
                if one == "":
                    raise ValueError(f"{name} must not be empty; give a value, or remove {name}")
        return values

    @field_validator("radar_scales")
    @classmethod
    def _check_scales(cls, scales: dict[str, list[float]]) -> dict[str, list[float]]:
        for name, ends in scales.items():
            if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
                raise ValueError(f"{name} must have two different ends, the worst and the best, not {ends}")
        return scales

    def combinations(self) -> list[dict[str, Scalar]]:
        """Every combination of settings."""
        lists = [[(k, v) for v in (vs if isinstance(vs, list) else [vs])] for k, vs in self.settings.items()]
        return [dict(chosen) for chosen in itertools.product(*lists)]


def shipped_suites() -> dict[str, Suite]:
    """The suites inside the package, by name."""
    folder = resources.files("toklab.bench.suites")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {suite.name: suite for suite in (parse_suite(f.read_text(encoding="utf-8"), f.name) for f in files)}


def parse_suite(text: str, origin: str) -> Suite:
    """A suite from TOML; raises :class:`SuiteError` that names ``origin`` and the key."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{origin} is not valid TOML: {error}") from error
    return check_suite(values, origin)


def check_suite(values: dict[str, Any], origin: str) -> Suite:
    """A suite from its keys and values; raises :class:`SuiteError` that names ``origin`` and each wrong key."""
    try:
        return Suite.model_validate(values)
    except ValidationError as error:
        problems = dict.fromkeys(_problem(found["type"], found["loc"], found["msg"]) for found in error.errors())
        raise SuiteError(f"{origin}: {'; '.join(problems)}") from error


def change_suite(suite: Suite, values: dict[str, Any]) -> Suite:
    """A suite with some values in place of its own, under a title that no longer says what it doesn't measure.

    Raises:
        SuiteError: if a value isn't as a suite takes it.
    """
    changed = check_suite({**suite.model_dump(), **values}, f"the suite {suite.name}")
    differing = {key for key in Suite.model_fields if getattr(suite, key) != getattr(changed, key)}
    words = [word for word, keys in _WHAT_TITLES_SAY.items() if differing.intersection(keys)]
    # A title says what the suite measures, and heads every table of the run.
    title = f"Suite {suite.name} with other {', '.join(words)}" if words else changed.title
    return changed.model_copy(update={"title": title})


_WHAT_TITLES_SAY = {
    "tokenizers": ("tokenizers",),
    "datasets": ("datasets",),
    "protocol": ("protocol", "protocol_changes"),
    "settings": ("settings",),
}
"""What a title may tell of a suite, in words → keys of the suite."""


def _problem(kind: str, place: tuple[int | str, ...], message: str) -> str:
    """What pydantic found, in words of a suite."""
    key = str(place[0])
    if kind == "extra_forbidden":
        known = list(Suite.model_fields)
        return f"{key!r} is no key of a suite{did_you_mean(key, known) or '; there are: ' + ', '.join(known)}"
    if kind == "missing":
        return f"the key {key} is missing"
    if kind == "too_short":
        return f"{key} must name at least one"
    words = message.removeprefix("Value error, ")
    return f"{key}: {words[:1].lower()}{words[1:]}"


def load_suite(name: str) -> Suite:
    """A shipped suite by name, or one from a TOML file by path."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            beside = [other.name for other in path.parent.glob("*.toml")] if path.parent.is_dir() else []
            raise SuiteError(f"there is no suite file {path}{did_you_mean(path.name, beside)}")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SuiteError(f"{path} is not UTF-8, as TOML must be: {error}") from error
        return parse_suite(text, str(path))
    suites = shipped_suites()
    if name not in suites:
        near = did_you_mean(name, suites) or "."
        raise SuiteError(f"there is no suite {name!r}{near} There are: {', '.join(suites)}, or give a .toml file")
    return suites[name]


def read_suite(folder: Path) -> Suite | None:
    """The suite a run folder was last run with; ``None`` for a merged folder."""
    path = folder / SUITE_FILE
    return Suite.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_suite(folder: Path, suite: Suite) -> None:
    """Remember what a run folder was run with, written whole or not at all.

    Raises:
        LedgerError: if the disk is full; the earlier file stays.
    """
    write_text(folder / SUITE_FILE, suite.model_dump_json(indent=1))


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``name=value`` arguments of the command line; commas make a list; numbers and booleans are recognised."""
    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise SuiteError(f"{assignment!r} is not of the form name=value")
        if name in parsed:
            raise SuiteError(f"{name} is given twice; for a row of each value, give them with commas: {name}=0,1")
        values = [_scalar(part) for part in text.split(",")]
        parsed[name] = values[0] if len(values) == 1 else values
    return parsed


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
