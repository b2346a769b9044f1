"""Workers in this process: what Ray's engine does, without Ray. Everything that crosses is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toklab.bench.execution.engines.cell_queue import CellQueue
from toklab.bench.execution.engines.lease import Lease, Made, Refused, WorkerSetup, Working
from toklab.bench.execution.engines.open_cell import Finish, OpenCell, RunContext
from toklab.bench.execution.engines.progress_in_order import ProgressInOrder
from toklab.bench.execution.engines.worker import Worker
from toklab.bench.execution.options import RunOptions


class InlineEngine:
    """Gives leases to two workers in turn; the first one ends at some events, as if it were killed."""

    builds_models = False
    untimed = "workers in the test's process"

    def __init__(self, options: RunOptions, folder: Path, ends_at: Iterable[int] = (), node: str = "abcdef0123"):
        """``ends_at``: numbers of those events, of all that are ever given, that never arrive."""
        self.num_events = 0
        self.leases: list[Lease] = []
        self._ends_at = set(ends_at)
        self._folder = folder
        self._options = options
        self._node = node

    def _worker(self, number: int) -> Worker:
        setup = WorkerSetup(number, "run", self._options, 1, (), {}, (), self._folder, self._folder / "cache")
        return Worker(pickle.loads(pickle.dumps(setup)), self._node)

    def run(self, context: RunContext, cells: Iterable[OpenCell], finish: Finish) -> None:
        progress = ProgressInOrder(context.progress)
        workers = [self._worker(number) for number in (1, 2)]
        for opened in cells:
            progress.start(opened)
            queue = CellQueue(opened, context, progress)
            while queue.has_units:
                worker = workers[len(self.leases) % 2]
                if not queue.takes(worker.name):
                    worker = workers[(len(self.leases) + 1) % 2]
                self._compute(queue, worker)
                queue.fail_if_refused(worker.name for worker in workers)
            finish(opened)
            progress.finish(opened.number)
        for worker in workers:
            worker.close()

    def _compute(self, queue: CellQueue, worker: Worker) -> None:
        lease = queue.lease(2, is_alone=False)
        self.leases.append(lease)
        working, was_ready = None, False
        events = worker.evaluate(pickle.loads(pickle.dumps(lease)))
        for event in (pickle.loads(pickle.dumps(event)) for event in events):
            self.num_events += 1
            if self.num_events in self._ends_at:
                events.close()  # type: ignore[attr-defined]
                queue.blame(lease, working, "killed by the test", was_ready=was_ready)
                queue.give_back(lease)
                return
            was_ready, working = True, event if isinstance(event, Working) else None
            if isinstance(event, Refused):
                queue.refuse(worker.name, lease, event.reason, event.hint)
                return
            if isinstance(event, Made):
                queue.take(event)
        queue.complete(lease)

    def provenance(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        return
