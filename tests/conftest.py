"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# How long an example takes says nothing about the code: a cold start or a loaded machine must not fail a test.
settings.register_profile("toklab", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("toklab")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with golden data and real clips, named by TOKLAB_SHARED; the test is skipped where it isn't set."""
    folder = os.environ.get("TOKLAB_SHARED")
    if not folder:
        pytest.skip("golden data and real clips: set TOKLAB_SHARED to the folder that holds them")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"TOKLAB_SHARED names {path}, which is not a folder")
    return path


@pytest.fixture(autouse=True)
def _isolated_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches and plugin settings of the user's machine out of the tests."""
    monkeypatch.setenv("TOKLAB_CACHE", str(tmp_path / "toklab-cache"))
    for name in ("TOKLAB_PLUGINS", "TOKLAB_WEIGHTS", "TOKLAB_DATA", "TOKLAB_CHECKPOINTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Make tests that draw from torch's default generator repeatable."""
    torch.manual_seed(0)
