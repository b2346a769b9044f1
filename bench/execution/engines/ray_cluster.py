"""Ray itself: started for one machine, or found at an address."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..options import num_cores
from ..preparation import CLIP_CACHE_FOLDER

ATTEMPTS = 3
"""Ray gives up after half a minute, which a cold or busy machine can take; the next attempt is faster."""
OBJECT_STORE_BYTES = 200 * 2**20
"""Rows and kept videos on their way; they stay there for moments."""
PREFIX = "toklab-ray-"
"""Begins the name of the folder of a Ray that toklab starts."""
LOCK = "owner.lock"
YOUNG_S = 60.0
"""A folder of this age may not be locked yet."""


class EngineUnavailable(ValueError):
    """The engine can't be used here; the message says what fixes it."""


@dataclass(frozen=True)
class EngineOptions:
    """How an engine that has workers is set up."""

    workers: int | None = None
    """``None``: one for each GPU, or for each machine where models run on processors."""
    gpus_per_worker: float | None = None
    """``None``: one where models run on GPUs, else none."""
    address: str | None = None
    """Of a Ray that runs already, such as ``auto``; ``None`` starts one on this machine."""
    threads: int | None = None
    """Of the models of a worker; ``None`` shares a machine's cores."""
    device: str = "auto"
    """Of the workers: ``cpu``, ``cuda``, or ``auto`` for GPUs where there are any."""
    decode_workers: int | None = None
    """Processes that decode for each worker; ``None``: as many as its share of the cores asks for."""


@dataclass(frozen=True)
class Workers:
    """Workers that a cluster has room for."""

    count: int
    threads: int
    num_gpus: float
    cores: int
    """Of a machine, for each worker on it."""


def check_ray() -> None:
    """Raise :class:`EngineUnavailable` where Ray isn't installed."""
    if importlib.util.find_spec("ray") is None:
        raise EngineUnavailable("--engine ray needs Ray: pip install 'toklab[ray]'")


def plan_workers(options: EngineOptions, nodes: list[dict[str, float]], *, on_gpus: bool) -> Workers:
    """How many workers there are, and what each takes.

    Args:
        options: what was asked for.
        nodes: ``CPU`` and ``GPU`` of every machine.
        on_gpus: whether models run on GPUs where nobody says how many a worker takes.

    Raises:
        EngineUnavailable: if workers take GPUs and no machine has any, or none as many as a worker takes.
    """
    num_gpus = options.gpus_per_worker if options.gpus_per_worker is not None else float(on_gpus)
    gpus = [node.get("GPU", 0.0) for node in nodes]
    if num_gpus and not any(gpus):
        raise EngineUnavailable("no machine of the cluster has a GPU: give --device cpu, or --gpus-per-worker 0")
    fitting = sum(_num_fitting(num_gpus, there) for there in gpus) if num_gpus else len(nodes)
    if num_gpus and not fitting:
        # Ray would wait for such a machine for ever.
        raise EngineUnavailable(
            f"no machine of the cluster has {num_gpus:g} GPUs: give --gpus-per-worker {max(gpus):g} or less"
        )
    count = options.workers or fitting
    per_node = math.ceil(count / max(1, len(nodes)))
    cores = min((node.get("CPU", 1.0) for node in nodes), default=1.0)
    share = max(1, int(cores) // per_node)
    return Workers(count, options.threads or share, num_gpus, share)


def _num_fitting(num_gpus: float, there: float) -> int:
    """Workers of ``num_gpus`` each on a machine; those that share a GPU have no part of another one."""
    return int(there / num_gpus) if num_gpus >= 1 else int(there) * int(1 / num_gpus)


class RayCluster:
    """A Ray that this process is connected to. Close it at the end."""

    def __init__(self, options: EngineOptions, say: Callable[[str], None]):
        """Connect to the Ray at the address, to the one that this process has already, or start one.

        Raises:
            EngineUnavailable: if Ray isn't installed, can't be reached or doesn't start.
        """
        check_ray()
        set_variables(is_own=options.address is None)
        self._folder: Path | None = None
        self._lock: FileLock | None = None
        paths = set(sys.path)
        import ray

        self.ray: Any = ray
        self.is_own = False
        self._is_connected = False
        try:
            if not ray.is_initialized():
                self._is_connected = True
                if options.address:
                    self._connect(options.address)
                else:
                    say("starting Ray on this machine")
                    self._start(options)
                    self.is_own = True
        except BaseException:
            self.close()
            raise
        # A driver's own folder and its working directory may hold anything.
        own = {os.getcwd(), os.path.dirname(os.path.abspath(sys.argv[0])), ""}
        self.hidden_paths = tuple(sorted(own - paths))

    def _connect(self, address: str) -> None:
        try:
            self.ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineUnavailable(
                f"no Ray answers at --address {address}: {error}; see what `ray status` says there, or leave --address "
                "out to start one on this machine"
            ) from error

    def _start(self, options: EngineOptions) -> None:
        _remove_left_folders()
        # A path of a socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp" if os.path.isdir("/tmp") else None))
        self._lock = FileLock(self._folder / LOCK)
        self._lock.acquire(timeout=0)
        wanted = (options.workers or 1) * (options.threads or 1)
        for attempt in range(ATTEMPTS):
            try:
                self.ray.init(
                    # Without a word Ray would join one that runs here already.
                    address="local",
                    num_cpus=max(num_cores(), wanted),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    configure_logging=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _temp_dir=str(self._folder),
                )
                return
            except Exception as error:
                # Ray says with a plain Exception that its processes took too long.
                self.ray.shutdown()
                if attempt == ATTEMPTS - 1:
                    raise EngineUnavailable(f"Ray doesn't start on this machine: {error}") from error

    def nodes(self) -> list[dict[str, float]]:
        """What each machine has."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    @property
    def temporary_folder(self) -> Path | None:
        """Where workers write what is removed with this Ray; ``None`` on a cluster."""
        return self._folder

    def cache_folder(self, run_folder: Path) -> Path | None:
        """Where workers keep decoded windows: in the run folder, where all are on this machine."""
        return run_folder / CLIP_CACHE_FOLDER if self.is_own else None

    def close(self) -> None:
        """Leave the cluster; one of our own ends, and its files are removed."""
        if self._is_connected:
            self._is_connected = False
            self.ray.shutdown()
        if self._lock is not None:
            self._lock.release()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def set_variables(*, is_own: bool) -> None:
    """What Ray reads when it is imported: no telemetry, patience with a busy machine, a key of this run's own."""
    if is_own and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # Ray would write a key into the user's home. It reads this once, when it is imported.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")
    # What takes no GPU keeps those that it sees; Ray will do so by default.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


def _remove_left_folders() -> None:
    """Remove what a killed run left of its Ray."""
    for folder in Path("/tmp").glob(f"{PREFIX}*"):
        with suppress(Timeout, OSError):
            if time.time() - folder.stat().st_mtime < YOUNG_S:
                continue
            with FileLock(folder / LOCK).acquire(timeout=0):
                pass
            shutil.rmtree(folder, ignore_errors=True)
