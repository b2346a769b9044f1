"""Suites: which tokenizers run on which datasets, under which protocol and settings, and what is measured."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..ledger.atomic_files import write_text
from ..ledger.errors import full_disk, is_full

Scalar = str | int | float | bool


SUITE_FILE = "suite.json"
"""In a run folder: the suite it was last run with."""

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
    published: bool = False
    """Whether published rows stand beside the measured ones."""

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
    """A suite from TOML; errors name ``origin`` and the field."""
    try:
        return Suite.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{origin} is not valid TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SuiteError(f"{origin} is not a suite: {problems}") from error


def load_suite(name: str) -> Suite:
    """A shipped suite by name, or one from a TOML file by path."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise SuiteError(f"there is no suite file {path}")
        return parse_suite(path.read_text(encoding="utf-8"), str(path))
    suites = shipped_suites()
    if name not in suites:
        near = difflib.get_close_matches(name, suites, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise SuiteError(f"there is no suite {name!r}{hint} There are: {', '.join(suites)}, or give a .toml file")
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
    try:
        write_text(folder / SUITE_FILE, suite.model_dump_json(indent=1))
    except OSError as error:
        if is_full(error):
            raise full_disk(folder / SUITE_FILE) from error
        raise


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``name=value`` arguments of the command line; commas make a list; numbers and booleans are recognised."""
    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise SuiteError(f"{assignment!r} is not of the form name=value")
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
