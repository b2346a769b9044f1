"""The Ray engine: actors compute the units of cells; this process alone writes the ledger.

Ray restarts an actor that ends. What it was at is given out again from here, less what was committed, so that no window
is computed twice that was received.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..options import RunOptions, default_decode_workers
from .cell_queue import CellQueue
from .lease import Event, Lease, Made, Refused, WorkerFacts, WorkerSetup, Working
from .open_cell import Finish, OpenCell, RunContext
from .progress_in_order import ProgressInOrder
from .ray_cluster import EngineOptions, EngineUnavailable, RayCluster, Workers, check_ray, plan_workers
from .worker import Worker

WAIT_S = 1.0
"""How often time limits are looked at while no worker says anything."""
CLOSE_S = 10.0
"""How long workers may take to clean up."""
EVENTS_AHEAD = 4
"""Events that a worker may send before the driver has taken them."""
UNTIMED = "the run's workers were on a cluster, where other work may share their machines"


@dataclass(eq=False)
class _Slot:
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


class RayEngine:
    """Actors on one machine or many, each with a tokenizer, the metrics and a decoder."""

    builds_models = False

    def __init__(
        self,
        engine: EngineOptions,
        options: RunOptions,
        card_folders: Iterable[Path] = (),
        *,
        forward_timeout_s: float | None = None,
    ):
        """Set it up; nothing is started yet.

        Args:
            engine: which workers there are.
            options: of the run; the device is that of this process.
            card_folders: with cards of the user's own, on every node.
            forward_timeout_s: seconds after which a forward pass is given up.

        Raises:
            EngineUnavailable: if Ray isn't installed.
        """
        check_ray()
        self._engine = engine
        self._options = options
        self._card_folders = tuple(card_folders)
        self._forward_timeout_s = forward_timeout_s
        self._cluster: RayCluster | None = None
        self._slots: list[_Slot] = []
        self._facts: dict[str, Any] = {}
        self.untimed = UNTIMED if engine.address else ""

    def provenance(self) -> dict[str, Any]:
        """What each worker said of itself, by name."""
        return dict(self._facts)

    def run(self, context: RunContext, cells: Iterable[OpenCell], finish: Finish) -> None:
        """Give out units of one cell as long as there are any, then those of the next."""
        progress = ProgressInOrder(context.progress)
        coming = iter(cells)
        queues: list[CellQueue] = []
        while True:
            queues = [queue for queue in queues if not self._finish_if_over(queue, finish, progress)]
            if not any(queue.has_units for queue in queues) and (opened := next(coming, None)) is not None:
                progress.start(opened)
                queues.append(CellQueue(opened, context, progress))
                continue
            if not queues:
                return
            if not self._slots:
                self._start(context, shares_clips=queues[0].opened.of > 1)
            self._give_out(queues, context)
            if not any(slot.lease or slot.hello for slot in self._slots):
                for queue in queues:
                    queue.fail_if_refused(slot.name for slot in self._slots)
                continue
            self._listen(context)
            self._end_overdue()

    def _finish_if_over(self, queue: CellQueue, finish: Finish, progress: ProgressInOrder) -> bool:
        if queue.is_over:
            finish(queue.opened)
            progress.finish(queue.opened.number)
        return queue.is_over

    # Workers

    def _start(self, context: RunContext, *, shares_clips: bool) -> None:
        self._cluster = RayCluster(self._engine, context.progress.message)
        nodes = self._cluster.nodes()
        planned = plan_workers(self._engine, nodes, on_gpus=self._wants_gpus(nodes))
        self._slots = [
            self._start_worker(number, planned, context, shares_clips=shares_clips)
            for number in range(1, planned.count + 1)
        ]
        where = f"{len(nodes)} machines" if len(nodes) > 1 else "one machine"
        context.progress.message(f"workers on {where}: {planned.count}; threads of each: {planned.threads}")

    def _wants_gpus(self, nodes: list[dict[str, float]]) -> bool:
        if self._engine.device == "auto":
            return any(node.get("GPU", 0.0) > 0 for node in nodes)
        return self._engine.device.startswith("cuda")

    def _start_worker(self, number: int, planned: Workers, context: RunContext, *, shares_clips: bool) -> _Slot:
        assert self._cluster is not None
        ray = self._cluster.ray
        setup = WorkerSetup(
            number,
            context.run_id,
            replace(
                self._options,
                device="cuda" if planned.num_gpus else "cpu",
                # Several workers of a machine have its cores in common.
                decode_workers=self._engine.decode_workers or default_decode_workers(planned.cores),
            ),
            planned.threads,
            self._card_folders,
            {name: value for name, value in os.environ.items() if name.startswith("TOKLAB_")},
            self._cluster.hidden_paths,
            self._cluster.temporary_folder,
            self._cluster.cache_folder(context.ledger.folder),
            shares_clips,
        )
        actor = (
            ray.remote(RayWorker)
            .options(
                num_cpus=planned.threads,
                num_gpus=planned.num_gpus,
                max_restarts=-1,
                # The driver itself gives out again what a worker was at.
                max_task_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(setup)
        )
        return _Slot(number, actor, self._ask(actor))

    def _ask(self, actor: Any) -> Any:
        """Ask a worker for itself; the answer comes as soon as it is up."""
        return actor.describe.options(max_task_retries=-1).remote()

    def _is_alone(self, slot: _Slot) -> bool:
        assert slot.facts is not None
        if slot.facts.provenance.get("device_type") == "cuda":
            return (self._engine.gpus_per_worker or 1) >= 1
        nodes = Counter(other.facts.node for other in self._slots if other.facts is not None)
        return nodes[slot.facts.node] == 1 and all(other.facts is not None for other in self._slots)

    def _give_out(self, queues: list[CellQueue], context: RunContext) -> None:
        for slot in self._slots:
            if slot.lease is not None or slot.hello is not None:
                continue
            queue = next((one for one in queues if one.has_units and one.takes(slot.name)), None)
            if queue is None:
                continue
            slot.queue, slot.lease = queue, queue.lease(len(self._slots), is_alone=self._is_alone(slot))
            slot.was_ready, slot.working, slot.is_ended_by_us = False, None, False
            slot.events = slot.actor.evaluate.options(
                num_returns="streaming", _generator_backpressure_num_objects=EVENTS_AHEAD
            ).remote(slot.lease)

    # What they say

    def _listen(self, context: RunContext) -> None:
        """Take one event of each worker that has one."""
        assert self._cluster is not None
        ray = self._cluster.ray
        waiting = {
            (slot.hello if slot.hello is not None else slot.events): slot
            for slot in self._slots
            if self._is_heard(slot)
        }
        ready, others = ray.wait(list(waiting), num_returns=1, timeout=WAIT_S)
        if others:
            # Those that have something to say, too, must not wait for the first one's next word.
            ready += ray.wait(others, num_returns=len(others), timeout=0)[0]
        for found in ready:
            slot = waiting[found]
            try:
                if slot.hello is not None:
                    self._greet(slot, ray.get(found), context)
                else:
                    self._hear(slot, ray.get(next(found)), context)
            except StopIteration:
                self._take_back(slot, is_complete=True)
            except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
                # What a machine that went away had not yet sent is lost with it.
                self._lose(slot, error, context)
            except ray.exceptions.RayTaskError as error:
                # A worker's own code failed: what it says is all that is known.
                self._refused(slot, Refused(str(error.cause or error).splitlines()[0]), context)

    def _is_heard(self, slot: _Slot) -> bool:
        return slot.hello is not None or slot.lease is not None

    def _greet(self, slot: _Slot, facts: WorkerFacts, context: RunContext) -> None:
        slot.hello, slot.facts = None, facts
        if slot.name not in self._facts:
            self._facts[slot.name] = dict(facts.provenance)
            others = {name: found.get("versions") for name, found in self._facts.items()}
            if len({str(versions) for versions in others.values()}) > 1:
                context.progress.message(f"{slot.name} has other versions of packages than {next(iter(others))}")

    def _hear(self, slot: _Slot, event: Event, context: RunContext) -> None:
        if slot.queue is None:
            return
        slot.was_ready = True
        slot.working = None
        if isinstance(event, Made):
            slot.queue.take(event)
        elif isinstance(event, Working):
            slot.working, slot.since = event, time.monotonic()
        elif isinstance(event, Refused):
            slot.was_ready = False
            self._refused(slot, event, context)

    def _refused(self, slot: _Slot, refused: Refused, context: RunContext) -> None:
        queue, lease = slot.queue, slot.lease
        if queue is None or lease is None:
            return
        slot.queue = slot.lease = slot.events = None
        if queue.refuse(slot.name, lease, refused.reason, refused.hint):
            context.progress.message(f"{slot.name} can't run {queue.opened.cell.label}: {refused.reason}")
        queue.fail_if_refused(other.name for other in self._slots)

    def _take_back(self, slot: _Slot, *, is_complete: bool = False) -> None:
        queue, lease = slot.queue, slot.lease
        slot.queue = slot.lease = slot.events = slot.working = None
        if queue is not None and lease is not None:
            (queue.complete if is_complete else queue.give_back)(lease)

    def _lose(self, slot: _Slot, error: Any, context: RunContext) -> None:
        """A worker ended; Ray starts it again."""
        reason = _cause(error)
        if slot.lease is None and slot.hello is not None:
            # Ray starts it again for ever, unless it can't be made at all.
            self._slots.remove(slot)
            context.progress.message(f"worker {slot.number} can't be started: {reason}")
            if not self._slots:
                raise EngineUnavailable(f"no worker can be started: {reason}")
            return
        if slot.queue is not None and slot.lease is not None and not slot.is_ended_by_us:
            context.progress.message(f"worker {slot.name} ended: {reason}; what it was at is given out again")
            if not getattr(error, "preempted", False):
                slot.queue.blame(slot.lease, slot.working, reason, was_ready=slot.was_ready)
        self._take_back(slot)
        slot.hello = self._ask(slot.actor)

    def _end_overdue(self) -> None:
        """End workers whose forward pass takes too long; a tokenizer that hangs again and again is given up."""
        limit = self._forward_timeout_s
        if limit is None or self._cluster is None:
            return
        for slot in self._slots:
            if slot.queue is None or slot.working is None or not slot.working.is_forward:
                continue
            if time.monotonic() - slot.since <= limit:
                continue
            slot.is_ended_by_us = True
            slot.queue.give_up(slot.working.rows, f"no result after {limit:g} s")
            slot.working = None
            self._cluster.ray.kill(slot.actor, no_restart=False)

    def close(self) -> None:
        """End the workers, and Ray where it is ours."""
        cluster, slots = self._cluster, self._slots
        self._cluster, self._slots = None, []
        if cluster is None:
            return
        try:
            ray = cluster.ray
            if ray.is_initialized():
                idle = [slot.actor.close.remote() for slot in slots if slot.lease is None and slot.hello is None]
                ray.wait(idle, num_returns=len(idle), timeout=CLOSE_S) if idle else None
                for slot in slots:
                    ray.kill(slot.actor)
        finally:
            cluster.close()


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


def _cause(error: Any) -> str:
    """Why an actor ended, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = next((line for line in lines if "exit detail" in line or line.startswith("Worker ")), "")
    return (detail or lines[-1] if lines else type(error).__name__)[:300]
