"""Where a figure comes from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from toklab.bench.execution import provenance


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit and this module at its place."""
    file = tmp_path / provenance.PLACE_IN_CHECKOUT
    file.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, file)
    (tmp_path / "pyproject.toml").write_text("[project]")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_the_commit_is_that_of_toklabs_own_checkout(checkout: Path) -> None:
    state = provenance.git_state(checkout / provenance.PLACE_IN_CHECKOUT)
    assert len(state["commit"]) == 40
    assert state["dirty"] is False


def test_a_repository_that_toklab_is_installed_in_is_not_its_own(checkout: Path) -> None:
    installed = checkout / ".venv" / "site-packages" / "toklab" / provenance.PLACE_IN_CHECKOUT
    installed.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, installed)
    assert provenance.git_state(installed) == {}
