"""docs/dependencies.md lists what pyproject.toml asks for, and no dependency reports what a user does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORTED = ("toklab.tokenizers.interface", "toklab.bench.exports.mlflow_logging", "toklab.bench.exports.wandb_logging")
SWITCHES = {"HF_HUB_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false"}


def test_every_dependency_is_listed_with_its_bound_and_a_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = []
    for extra, needs in [("", project["dependencies"]), *project["optional-dependencies"].items()]:
        for need in needs:
            found = re.match(r"([\w-]+)>=([\d.]+)", need)
            assert found, need
            asked.append((found[1], found[2], extra))
    lines = (ROOT / "docs" / "dependencies.md").read_text().splitlines()
    listed = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]
    assert [tuple(row[:3]) for row in listed] == asked
    assert all(row[3] for row in listed)


@pytest.mark.slow
def test_telemetry_is_off_unless_the_user_says_otherwise() -> None:
    code = f"import os, {', '.join(IMPORTED)}; print(*(os.environ[name] for name in {list(SWITCHES)}))"
    without = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    chosen = {"MLFLOW_DISABLE_TELEMETRY": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=without | chosen, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == list((SWITCHES | chosen).values())
