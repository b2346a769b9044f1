"""SIGKILL at random moments of runs and merges; then they go on, and must come to the undisturbed result."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_runs
from faults import FaultKind, Outcome
from forks import fork, killed_after
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.ledger.verification import verify_run
from toklab.bench.planning.plan import Shard

TRUTH, FACTS, VIDEOS = "truth.pickle", "facts.json", "videos"
MAX_KILLS = 3
LIMIT_S = 120.0


class KilledRun(FaultKind):
    """A process that runs a suite is killed, one to three times, and then goes on to the end."""

    name = "kill a run"
    tried = "SIGKILL to the process of a run at a random moment, 1 to 3 times, then the same run to its end"
    share = 310

    def prepare(self, folder: Path) -> None:
        videos = tiny_runs.write_videos(folder / VIDEOS)
        start = time.monotonic()
        tiny_runs.run(folder / "whole", tiny_runs.suite(videos))
        seconds = time.monotonic() - start
        (folder / TRUTH).write_bytes(pickle.dumps(tiny_runs.contents(folder / "whole")))
        (folder / FACTS).write_text(json.dumps({"seconds": seconds}))

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        chosen = tiny_runs.suite(folder / VIDEOS)
        target = scratch / "run"
        seconds = json.loads((folder / FACTS).read_text())["seconds"]
        committed: list[Any] = []
        kills = 0
        for _ in range(int(rng.integers(1, MAX_KILLS + 1))):
            was_at_work, said = killed_after(
                lambda say: tiny_runs.run(target, chosen, heard=say), float(rng.uniform(0, 1.1 * seconds))
            )
            committed += [record for records in said for record in records]
            kills += was_at_work
            if lost := _lost(target, committed):
                return Outcome("lost row", f"after {kills} kills: {lost}")
        return _to_the_end(
            lambda: tiny_runs.run(target, chosen),
            target,
            pickle.loads((folder / TRUTH).read_bytes()),
            f"{kills} kills, {len(committed)} records committed before",
        )


class KilledMerge(FaultKind):
    """A process that merges two shards is killed, and the merge is made again."""

    name = "kill a merge"
    tried = "SIGKILL to the process of a merge at a random moment, then the same merge to its end"
    share = 90

    def prepare(self, folder: Path) -> None:
        videos = tiny_runs.write_videos(folder / VIDEOS)
        for index in range(2):
            tiny_runs.run(folder / str(index), tiny_runs.suite(videos), Shard(index, 2))
        start = time.monotonic()
        merge_runs([folder / "0", folder / "1"], folder / "whole")
        (folder / FACTS).write_text(json.dumps({"seconds": time.monotonic() - start}))
        (folder / TRUTH).write_bytes(pickle.dumps(tiny_runs.contents(folder / "whole")))

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        target = scratch / "merged"
        parts = [folder / "0", folder / "1"]
        seconds = json.loads((folder / FACTS).read_text())["seconds"]
        was_at_work, _ = killed_after(lambda say: merge_runs(parts, target), float(rng.uniform(0, 1.1 * seconds)))

        def finish() -> None:
            if not target.exists():
                merge_runs(parts, target)
            left = [path.name for path in scratch.iterdir() if path != target]
            assert not left, f"left behind: {left}"

        truth = pickle.loads((folder / TRUTH).read_bytes())
        return _to_the_end(finish, target, truth, f"{int(was_at_work)} kills")


def _lost(target: Path, committed: list[Any]) -> str:
    """The first committed record that isn't there; checked in a process of its own, as a writer may have opened it."""

    def check(say: Callable[[Any], None]) -> None:
        if not committed:
            say("")
            return
        with Ledger(target) as ledger:
            cells = {record.cell_id for record in committed}
            found = [tiny_runs.plain(record) for cell in cells for record in _records(ledger, cell)]
        lost = [record for record in committed if record not in found]
        say(f"{len(lost)} of {len(committed)}, such as {lost[0]}" if lost else "")

    child = fork(check)
    kind, answer = child.wait_for_answer(LIMIT_S)
    if kind == "hang":
        child.kill()
    child.end()
    return answer if kind == "answer" else f"the ledger can't be read ({kind})"


def _records(ledger: Ledger, cell_id: str) -> list[Any]:
    measured = ledger.measurements(cell_id).values()
    return [*ledger.rows(cell_id), *(one for by_name in measured for one in by_name.values())]


def _to_the_end(finish: Callable[[], None], target: Path, truth: dict[str, Any], detail: str) -> Outcome:
    """Go on in a new process to the end, and compare."""

    def go_on(say: Callable[[Any], None]) -> None:
        try:
            finish()
            found = tiny_runs.contents(target)
            unsound = [finding.text for finding in verify_run(target) if not finding.is_sound]
            say((tiny_runs.difference(found, truth), unsound))
        except BaseException as error:
            say((f"{type(error).__name__}: {error}", ["error"]))

    child = fork(go_on)
    kind, answer = child.wait_for_answer(LIMIT_S)
    if kind == "hang":
        child.kill()
    child.end()
    if kind != "answer":
        return Outcome("hang", detail) if kind == "hang" else Outcome("crash", f"{detail}; exit code {answer}")
    differs, unsound = answer
    if unsound == ["error"]:
        return Outcome("traceback", f"{detail}; {differs}")
    if differs or unsound:
        return Outcome("wrong", f"{detail}; differs in {differs}; {unsound}")
    return Outcome("survived", detail)
