"""Ray's actors: workers as the driver sees them, how they are started, and what runs in each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..options import RunOptions
from .cell_queue import CellQueue
from .lease import Event, Lease, WorkerFacts, WorkerSetup, Working
from .ray_cluster import RayCluster, Workers
from .worker import Worker


@dataclass(eq=False)
class WorkerSlot:
    """A worker as the driver sees it."""

    number: int
    actor: Any
    hello: Any
    """What it is expected to say of itself; ``None`` once it did, until it is started again."""
    facts: WorkerFacts | None = None
    queue: CellQueue | None = None
    lease: Lease | None = None
    events: Any = None
    """What it says of its lease."""
    was_ready: bool = False
    working: Working | None = None
    since: float = 0.0
    """When its forward pass began."""
    is_ended_by_us: bool = False

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.facts.name if self.facts is not None else str(self.number)


def start_workers(
    cluster: RayCluster,
    planned: Workers,
    run_id: str,
    options: RunOptions,
    card_folders: tuple[Path, ...],
    *,
    cache_folder: Path | None,
    shares_clips: bool,
) -> list[WorkerSlot]:
    """Start as many workers as are planned, on as many machines as possible; each says of itself when it is up.

    Args:
        cluster: where they run.
        planned: how many, and what each takes.
        run_id: of the run.
        options: of each worker.
        card_folders: with cards of the user's own, on every node.
        cache_folder: see :class:`~.lease.WorkerSetup`.
        shares_clips: the same.
    """
    actors = cluster.ray.remote(RayWorker).options(
        num_cpus=planned.threads,
        num_gpus=planned.num_gpus,
        max_restarts=-1,
        # The driver itself gives out again what a worker was at.
        max_task_retries=0,
        scheduling_strategy="SPREAD",
    )
    variables = {name: value for name, value in os.environ.items() if name.startswith("TOKLAB_")}
    slots = []
    for number in range(1, planned.count + 1):
        setup = WorkerSetup(
            number,
            run_id,
            options,
            planned.threads,
            card_folders,
            variables,
            cluster.hidden_paths,
            cluster.temporary_folder,
            cache_folder,
            shares_clips,
        )
        actor = actors.remote(setup)
        slots.append(WorkerSlot(number, actor, ask_for_facts(actor)))
    return slots


def ask_for_facts(actor: Any) -> Any:
    """Ask a worker for itself; the answer comes as soon as it is up."""
    return actor.describe.options(max_task_retries=-1).remote()


class RayWorker:
    """An actor: a worker that knows its node."""

    def __init__(self, setup: WorkerSetup):
        import ray

        self._worker = Worker(setup, ray.get_runtime_context().get_node_id())

    def describe(self) -> WorkerFacts:
        """Who this is."""
        return self._worker.describe()

    def evaluate(self, lease: Lease) -> Iterator[Event]:
        """Compute a lease."""
        yield from self._worker.evaluate(lease)

    def close(self) -> None:
        """Clean up."""
        self._worker.close()


def cause_of_end(error: Any) -> str:
    """Why an actor ended, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = next((line for line in lines if "exit detail" in line or line.startswith("Worker ")), "")
    return (detail or lines[-1] if lines else type(error).__name__)[:300]
