"""The Ray engine: actors compute the units of cells; this process alone writes the ledger.

Ray restarts an actor that ends. What it was at is given out again from here, less what was committed, so that no window
is computed twice that was received.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...catalog.plugin_code import describe
from ..options import RunOptions, default_decode_workers
from .cell_queue import CellQueue
from .lease import Event, Made, Refused, WorkerFacts, Working
from .open_cell import Finish, OpenCell, RunContext
from .progress_in_order import ProgressInOrder
from .ray_cluster import EngineOptions, EngineUnavailable, RayCluster, check_ray, plan_workers
from .ray_workers import WorkerSlot, ask_for_facts, cause_of_end, start_workers

WAIT_S = 1.0
"""How often time limits are looked at while no worker says anything."""
CLOSE_S = 10.0
"""How long workers may take to clean up."""
EVENTS_AHEAD = 4
"""Events that a worker may send before the driver has taken them."""
UNTIMED = "the run's workers were on a cluster, where other work may share their machines"


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
        self._slots: list[WorkerSlot] = []
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
        options = replace(
            self._options,
            device="cuda" if planned.num_gpus else "cpu",
            # Several workers of a machine have its cores in common.
            decode_workers=self._engine.decode_workers or default_decode_workers(planned.cores),
        )
        self._slots = start_workers(
            self._cluster,
            planned,
            context.run_id,
            options,
            self._card_folders,
            cache_folder=self._cluster.cache_folder(context.ledger.folder),
            shares_clips=shares_clips,
        )
        where = f"{len(nodes)} machines" if len(nodes) > 1 else "one machine"
        context.progress.message(f"workers on {where}: {planned.count}; threads of each: {planned.threads}")

    def _wants_gpus(self, nodes: list[dict[str, float]]) -> bool:
        if self._engine.device == "auto":
            return any(node.get("GPU", 0.0) > 0 for node in nodes)
        return self._engine.device.startswith("cuda")

    def _is_alone(self, slot: WorkerSlot) -> bool:
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
                self._refused(slot, Refused(describe(error.cause or error).splitlines()[0]), context)

    def _is_heard(self, slot: WorkerSlot) -> bool:
        return slot.hello is not None or slot.lease is not None

    def _greet(self, slot: WorkerSlot, facts: WorkerFacts, context: RunContext) -> None:
        slot.hello, slot.facts = None, facts
        if slot.name not in self._facts:
            self._facts[slot.name] = dict(facts.provenance)
            others = {name: found.get("versions") for name, found in self._facts.items()}
            if len({str(versions) for versions in others.values()}) > 1:
                context.progress.message(f"{slot.name} has other versions of packages than {next(iter(others))}")

    def _hear(self, slot: WorkerSlot, event: Event, context: RunContext) -> None:
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

    def _refused(self, slot: WorkerSlot, refused: Refused, context: RunContext) -> None:
        queue, lease = slot.queue, slot.lease
        if queue is None or lease is None:
            return
        slot.queue = slot.lease = slot.events = None
        if queue.refuse(slot.name, lease, refused.reason, refused.hint):
            context.progress.message(f"{slot.name} can't run {queue.opened.cell.label}: {refused.reason}")
        queue.fail_if_refused(other.name for other in self._slots)

    def _take_back(self, slot: WorkerSlot, *, is_complete: bool = False) -> None:
        queue, lease = slot.queue, slot.lease
        slot.queue = slot.lease = slot.events = slot.working = None
        if queue is not None and lease is not None:
            (queue.complete if is_complete else queue.give_back)(lease)

    def _lose(self, slot: WorkerSlot, error: Any, context: RunContext) -> None:
        """A worker ended; Ray starts it again."""
        reason = cause_of_end(error)
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
        slot.hello = ask_for_facts(slot.actor)

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
                if idle:
                    ray.wait(idle, num_returns=len(idle), timeout=CLOSE_S)
                for slot in slots:
                    ray.kill(slot.actor)
        finally:
            cluster.close()
