"""Where a figure comes from: versions, device, commit, command line."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import torch

from .device import gpu_name

PACKAGES = (
    "toklab",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-image",
    "lpips",
    "decord",
    "av",
    "imageio-ffmpeg",
    "diffusers",
)
"""Packages whose version can change a figure."""


PLACE_IN_CHECKOUT = Path("bench", "execution", "provenance.py")
"""Where this module lies in toklab's own repository."""


def package_versions() -> dict[str, str]:
    """Installed version of each of :data:`PACKAGES`; absent ones are left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def processor_name() -> str:
    """The processor's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """What the models run on: the GPU's name, or the processor's."""
    return gpu_name(device) if device.type == "cuda" else processor_name()


def machine_identity(device: torch.device) -> str:
    """What timings are keyed by: device, number of threads and torch version, in words."""
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    return f"{device_name(device)}{threads}, torch {torch.__version__}"


def software_identity() -> str:
    """Versions of what decides a speed beside the machine, in words."""
    versions = package_versions()
    named = [f"{name} {versions[name]}" for name in ("toklab", "numpy", "diffusers") if name in versions]
    cuda = [f"CUDA {torch.version.cuda}", f"cuDNN {torch.backends.cudnn.version()}"] if torch.version.cuda else []
    return ", ".join([f"Python {platform.python_version()}", *named, *cuda])


def git_state(file: Path = Path(__file__)) -> dict[str, Any]:
    """Commit and dirty flag of toklab's own checkout; empty where toklab doesn't run from one, or without git.

    Args:
        file: this module, as it is imported; somebody's repository that toklab is installed in isn't toklab's.
    """
    file = file.resolve()

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(file.parent), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        top = Path(git("rev-parse", "--show-toplevel"))
        if top.resolve() / PLACE_IN_CHECKOUT != file:
            return {}
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def utc_now() -> str:
    """The time now, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_identity() -> str:
    """A new identity for an invocation: time, host and process."""
    seed = f"{datetime.now(UTC).isoformat()} {platform.node()} {os.getpid()}"
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{hashlib.sha256(seed.encode()).hexdigest()[:6]}"


def collect(device: torch.device) -> dict[str, Any]:
    """Everything a reader needs to know of an invocation; to be asked with torch's switches set as models run."""
    return {
        "versions": package_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device_name(device),
        "device_type": device.type,
        "machine": machine_identity(device),
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "tf32": torch.backends.cuda.matmul.allow_tf32,
        "ffmpeg": imageio_ffmpeg.get_ffmpeg_version(),
        "command": sys.argv,
        **git_state(),
    }
