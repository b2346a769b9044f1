"""Ray's engine against the local one: the same bits, whatever is killed. Ray starts once for a module's tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_tokenizers as fakes
import pytest
import torch
import worker_tokenizers
from same_ledgers import content, rows
from toklab.bench import run_suite
from toklab.bench.execution.engines.ray_cluster import EngineOptions, EngineUnavailable, plan_workers, set_variables
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.run_summary import RunSummary
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import RunRecord
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import Suite
from toklab.datasets.readers.worker import DecodeWorker

OPTIONS = RunOptions(batch_size=2, keep_reconstructions=2)
SUPPORT = Path(fakes.__file__).parent
PLUGINS = f"{fakes.plugins_variable()},{worker_tokenizers.plugins_variable()}"
MARK = "TOKLAB_TEST_MARK"
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is an extra")
PATIENCE_S = 1200.0
"""Only a test that hangs reaches it."""


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[None]:
    """Two nodes of Ray on this machine, each with a working folder of its own."""
    before = dict(os.environ)
    here = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="tk-", dir="/tmp"))
    os.environ["PYTHONPATH"] = str(SUPPORT)
    # Ray reads them once, when it is imported.
    set_variables(is_own=True)
    import ray
    from ray.cluster_utils import Cluster

    cluster: Any = None
    # Where Ray's test clusters note their address; nothing else makes it.
    Path("/tmp/ray").mkdir(exist_ok=True)
    try:
        for name in ("one", "two"):
            (folder / name).mkdir()
            os.chdir(folder / name)
            node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 * 2**20}
            if cluster is None:
                cluster = Cluster(initialize_head=True, head_node_args={**node, "temp_dir": str(folder / "ray")})
            else:
                cluster.add_node(**node)
        os.chdir(here)
        ray.init(address=cluster.address, log_to_driver=False)
        yield
    finally:
        os.chdir(here)
        ray.shutdown()
        if cluster is not None:
            cluster.shutdown()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def suite_of(video_folder: Path, *tokenizers: str) -> Suite:
    return Suite.model_validate(
        {
            "name": "test",
            "datasets": (f"folder:{video_folder}",),
            "protocol_changes": {"height": 32, "width": 32},
            "tokenizers": tokenizers,
            "metrics": ("psnr", "bpp", "codebook-utilization"),
        }
    )


@pytest.fixture
def run(
    video_folder: Path, worker: DecodeWorker, silent_progress: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RunSummary]:
    monkeypatch.setenv("TOKLAB_PLUGINS", PLUGINS)
    torch.set_num_threads(1)

    def compute(out: Path, *tokenizers: str, ray: bool) -> RunSummary:
        engine = None
        if ray:
            from toklab.bench.execution.engines.ray_engine import RayEngine

            engine = RayEngine(EngineOptions(workers=2, threads=1, address="auto"), OPTIONS)
        with Ledger(out, write=True) as ledger:
            cells = plan_cells(suite_of(video_folder, *tokenizers))
            return Runner(ledger, OPTIONS, silent_progress, worker=worker, engine=engine).run(cells)

    return compute


@needs_ray
@pytest.mark.slow
def test_two_nodes_give_the_bits_of_one_process_though_workers_are_killed(
    tmp_path: Path,
    run: Callable[..., RunSummary],
    video_folder: Path,
    two_nodes: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv("TOKLAB_TEST_CALLS", str(calls))
    assert run(tmp_path / "local", "average", "signs", ray=False).exit_code == 0
    summary = run(tmp_path / "ray", "average", "signs", "ends-once", ray=True)
    assert summary.exit_code == 0
    local, distributed = content(tmp_path / "local"), content(tmp_path / "ray")
    assert {name: distributed[name] for name in local if name != "videos"} == {
        name: value for name, value in local.items() if name != "videos"
    }
    assert local["videos"].items() <= distributed["videos"].items()
    # One worker was killed in its third forward pass: that batch alone was computed again.
    assert distributed["ends-once measurements"] == distributed["average measurements"]
    assert calls.stat().st_size == 4 + 1
    # Two workers, on two nodes; the ledger lies with neither.
    with Ledger(tmp_path / "ray") as ledger:
        (record,) = ledger.runs()
    assert _nodes(record) == 2
    assert {row.worker for row in rows(tmp_path / "ray")} <= set(record.provenance["workers"])
    # And the same from Python.
    engine = EngineOptions(workers=1, threads=1, address="auto")
    run_suite(suite_of(video_folder, "average"), out=tmp_path / "python", batch_size=2, engine=engine, progress=False)
    assert content(tmp_path / "python")["average measurements"] == local["average measurements"]
    assert all(row.worker for row in rows(tmp_path / "python"))


def _nodes(record: RunRecord) -> int:
    return len({known["node"] for known in record.provenance["workers"].values()})


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("endings", [("driver", "head"), pytest.param(("interrupt",), marks=pytest.mark.thorough)])
def test_a_run_goes_on_after_the_end_of_its_driver_or_of_ray(
    endings: tuple[str, ...],
    tmp_path: Path,
    run: Callable[..., RunSummary],
    video_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKLAB_TEST_SLEEP", "0")
    out = tmp_path / "run"
    scored = 0
    for ending in endings:
        mark = uuid.uuid4().hex
        process = _start(out, video_folder, mark)
        try:
            scored = _wait_for_rows(out, scored + 1, process)
            _end(process, ending)
            assert process.wait(PATIENCE_S) != 0
            # Ray's agents take a minute to see that a driver was killed, and do nothing meanwhile.
            if ending != "driver":
                _wait(lambda mark=mark: not _processes(mark))
        finally:
            for left in _processes(mark):
                os.kill(left, signal.SIGKILL)
        assert len(rows(out)) - scored <= 2, "no more than was in flight"
        scored = len(rows(out))
        assert all(row.status == "scored" for row in rows(out))
    assert run(out, "slow", ray=False).exit_code == 0
    assert run(tmp_path / "local", "slow", ray=False).exit_code == 0
    assert content(out) == content(tmp_path / "local")


def _start(out: Path, video_folder: Path, mark: str) -> subprocess.Popen[bytes]:
    command = [
        *(Path(sys.executable).with_name("toklab"), "run", "-t", "slow", "-d", f"folder:{video_folder}"),
        *("-m", "psnr", "-m", "bpp", "-m", "codebook-utilization", "--out", out, "--batch-size", "2"),
        *("--set-protocol", "height=32", "--set-protocol", "width=32", "--keep-recon", "2", "--threads", "1"),
        *("--engine", "ray", "--workers", "1"),
    ]
    environment = {
        MARK: mark,
        "PYTHONPATH": str(SUPPORT),
        "TOKLAB_PLUGINS": PLUGINS,
        "TOKLAB_TEST_SLEEP": "3",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    }
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL, start_new_session=True)


def _end(process: subprocess.Popen[bytes], what: str) -> None:
    if what == "interrupt":
        process.send_signal(signal.SIGINT)
        return
    (driver,) = _children(process.pid)
    if what == "driver":
        # The supervisor goes too, as with a machine.
        process.kill()
        os.kill(driver, signal.SIGKILL)
    else:
        (head,) = [child for child in _children(driver) if "gcs_server" in _command(child)]
        os.kill(head, signal.SIGKILL)


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text(errors="replace")


def _processes(mark: str) -> list[int]:
    """Processes that a run started, whoever their parent is now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            # Ended meanwhile, or somebody else's.
            continue
    return found


def _wait_for_rows(out: Path, count: int, process: subprocess.Popen[bytes]) -> int:
    def there() -> bool:
        assert process.poll() is None, "the run ended before it was killed"
        return (out / "ledger.sqlite").exists() and (out / "suite.json").exists() and len(rows(out)) >= count

    _wait(there)
    return len(rows(out))


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "nothing happens any more"
        time.sleep(0.2)


def test_workers_share_the_cores_and_gpus_of_their_machines() -> None:
    small, large = {"CPU": 8.0}, {"CPU": 16.0, "GPU": 2.0}
    alone = plan_workers(EngineOptions(), [small, small], on_gpus=False)
    assert (alone.count, alone.threads, alone.num_gpus) == (2, 8, 0.0)
    several = plan_workers(EngineOptions(workers=4), [small, small], on_gpus=False)
    assert (several.count, several.threads, several.cores) == (4, 4, 4)
    # Threads that were asked for leave more cores to decoders.
    assert plan_workers(EngineOptions(threads=1), [small], on_gpus=False).cores == 8
    on_gpus = plan_workers(EngineOptions(), [large, large], on_gpus=True)
    assert (on_gpus.count, on_gpus.num_gpus) == (4, 1.0)
    assert plan_workers(EngineOptions(gpus_per_worker=0.5), [large], on_gpus=True).count == 4
    # A worker's GPUs are on one machine, and a share of a GPU is of one GPU.
    one, three = {"CPU": 4.0, "GPU": 1.0}, {"CPU": 4.0, "GPU": 3.0}
    assert plan_workers(EngineOptions(gpus_per_worker=2), [one, three, three], on_gpus=True).count == 2
    assert plan_workers(EngineOptions(gpus_per_worker=0.4), [large], on_gpus=True).count == 4
    with pytest.raises(EngineUnavailable, match="has 2 GPUs: give --gpus-per-worker 1 or less"):
        plan_workers(EngineOptions(gpus_per_worker=2), [one, one], on_gpus=True)
    with pytest.raises(EngineUnavailable, match="no machine of the cluster has a GPU"):
        plan_workers(EngineOptions(gpus_per_worker=1), [small], on_gpus=False)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from toklab.bench.cli.main import app
    from typer.testing import CliRunner

    monkeypatch.setattr("toklab.bench.execution.engines.ray_cluster.importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(app, ["run", "demo", "--engine", "ray"])
    assert "pip install 'toklab[ray]'" in str(result.exception)
    result = CliRunner().invoke(app, ["run", "demo", "--workers", "2"])
    assert "--workers needs --engine ray" in str(result.exception)
