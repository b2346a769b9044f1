"""Building and installing wheels as an installer does, without one and without the network."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import warnings
import zipfile
from pathlib import Path
from typing import Literal

from build import ProjectBuilder
from pyproject_hooks import quiet_subprocess_runner


def build_wheel(source: Path, output: Path, kind: Literal["wheel", "editable"] = "wheel") -> Path:
    """Build ``source`` with its own backend, which must be installed in this environment."""
    with warnings.catch_warnings():
        # setuptools warns of folders with the package's name; ours are called otherwise, which the tests check.
        warnings.filterwarnings("ignore", message="Editable installation")
        return Path(ProjectBuilder(source, runner=quiet_subprocess_runner).build(kind, output))


def install_wheel(wheel: Path, site_packages: Path) -> None:
    """Unpack a pure-Python wheel, which is what installing one comes to (scripts apart)."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages)


class ScratchEnvironment:
    """A virtual environment; alone, or one that sees the packages of the environment that runs the tests."""

    def __init__(self, folder: Path, *, sees_test_environment: bool):
        venv.create(folder, with_pip=False, symlinks=True)
        self._python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site_packages = folder / "lib" / version / "site-packages"
        if sees_test_environment:
            # All but toklab itself, installed or editable, which would be found in place of the one under test.
            for entry in Path(sysconfig.get_path("purelib")).iterdir():
                if not entry.name.startswith(("toklab", "__editable__")) and entry.suffix != ".pth":
                    link = self.site_packages / entry.name
                    if not link.exists():
                        link.symlink_to(entry)

    def run(self, code: str, folder: Path) -> str:
        """What a program prints; its standard error is the message if it fails."""
        finished = subprocess.run(
            [self._python, "-I", "-c", code], cwd=folder, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout
