"""Self-test: closed forms of every metric, and models against golden data."""

from __future__ import annotations

import fnmatch
import importlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...tokenizers.adapters import current_module
from ...tokenizers.golden import UnsupportedGolden
from .metric_checks import run_checks

DEFAULT_TOLERANCE = 1e-4
"""For tensors that no pattern of the golden's ``tolerances`` names."""


class GoldenError(ValueError):
    """A folder that holds no golden data, or damaged ones."""


@dataclass(frozen=True)
class Comparison:
    """One stored tensor beside the computed one."""

    golden: str
    """FAMILY/NAME."""
    tensor: str
    """CASE/TENSOR."""
    error: float
    """Largest absolute difference over max(1, largest absolute value of the stored tensor)."""
    tolerance: float
    optional: bool

    @property
    def passed(self) -> bool:
        """Whether the tensor is within its tolerance (exactly equal for 0); NaN never is."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "optional, differs" if self.optional else "FAILED"
        return f"{self.golden} {self.tensor}: error {self.error:.2e}, tolerance {self.tolerance:.0e}, {verdict}"


def find_goldens(folders: Iterable[Path]) -> list[Path]:
    """Every folder at or below ``folders`` that holds a config.json beside io*.safetensors.

    Raises:
        GoldenError: if a folder doesn't exist or holds none.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise GoldenError(f"{folder} is not a folder")
        here = sorted(
            config.parent for config in folder.rglob("config.json") if any(config.parent.glob("io*.safetensors"))
        )
        if not here:
            raise GoldenError(f"{folder} holds no golden data: no config.json beside io*.safetensors at or below it")
        found.extend(here)
    return found


def compare_golden(folder: Path) -> Iterator[Comparison]:
    """Compute the tensors that a golden stores, and compare each.

    Raises:
        UnsupportedGolden: if toklab has no implementation of the model.
        GoldenError: if a file is missing or damaged.
    """
    config = _config(folder)
    name = _name(folder, config)
    module = _family_module(name.split("/")[0])
    state = _load(folder / "state.safetensors") if (folder / "state.safetensors").is_file() else {}
    cases = {path.stem: _load(path) for path in sorted(folder.glob("io*.safetensors"))}
    for case, stored in cases.items():
        # Some cases store outputs only and share the input of the plain one.
        inputs = {**cases.get("io", {}), **stored}
        with torch.no_grad():
            computed = module.golden_outputs(config, state, inputs, case)
        if not set(computed) & set(stored):
            raise UnsupportedGolden(f"{name} {case}")
        for tensor, reference in stored.items():
            if tensor in computed:
                optional = any(fnmatch.fnmatchcase(tensor, pattern) for pattern in config.get("optional", []))
                tolerance = _tolerance(config, tensor)
                yield Comparison(name, f"{case}/{tensor}", _error(computed[tensor], reference), tolerance, optional)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoldenError(f"{path} can't be read ({error})") from error
    if not isinstance(config, dict):
        raise GoldenError(f"{path} holds no JSON object")
    return config


def _name(folder: Path, config: dict[str, Any]) -> str:
    """FAMILY/NAME, those of the folders where the golden gives none."""
    return f"{config.get('family', folder.parent.name)}/{config.get('name', folder.name)}"


def _family_module(family: str) -> ModuleType:
    for package in (family, f"baselines.{family}"):
        name = f"{current_module(f'.{package}', 'toklab.tokenizers')}.golden"
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    raise UnsupportedGolden(family)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:
        raise GoldenError(f"{path} can't be read ({error})") from error


def _tolerance(config: dict[str, Any], tensor: str) -> float:
    tolerances = config.get("tolerances", {})
    if tensor in tolerances:
        return tolerances[tensor]
    matching = [pattern for pattern in tolerances if fnmatch.fnmatchcase(tensor, pattern)]
    return tolerances[max(matching, key=len)] if matching else DEFAULT_TOLERANCE


def _error(computed: Tensor, reference: Tensor) -> float:
    if computed.shape != reference.shape:
        return float("inf")
    difference = (computed.double() - reference.double()).abs().max().item()
    return difference / max(1.0, reference.double().abs().max().item())


def run_selftest(golden_folders: list[Path], say: Callable[[str], object]) -> bool:
    """Compare the goldens if folders are given, else run the metric checks; true if nothing is beyond its tolerance.

    Where no golden is of a model that toklab has, nothing was tested, which isn't true either.
    """
    return _compare_goldens(golden_folders, say) if golden_folders else _check_metrics(say)


def _check_metrics(say: Callable[[str], object]) -> bool:
    passed = True
    for line, good in run_checks():
        say(line)
        passed &= good
    return passed


def _compare_goldens(folders: list[Path], say: Callable[[str], object]) -> bool:
    counts = {"compared": 0, "failed": 0, "not supported": 0}
    for folder in find_goldens(folders):
        try:
            for comparison in compare_golden(folder):
                say(str(comparison))
                counts["compared"] += 1
                counts["failed"] += not (comparison.passed or comparison.optional)
        except UnsupportedGolden:
            say(f"not supported: {_name(folder, _config(folder))}")
            counts["not supported"] += 1
    say(", ".join(f"{count} {what}" for what, count in counts.items()))
    if not counts["compared"]:
        say("FAILED: nothing was compared, for toklab has none of these models")
    return bool(counts["compared"]) and not counts["failed"]
