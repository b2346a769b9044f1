"""Mutation testing: `tox -e mutation -- --mutants 600 --seed 1 --out DIR`.

Draws small changes of the code that figures rest on, and runs for each the tests that run its line. A mutant that no
test notices survives: a test is missing, or the change makes no difference. Results go to DIR/mutants.jsonl; the same
command goes on where it was ended. The survivors are printed with their changes.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import select
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process with threads can't be forked
sys.path.insert(1, str(Path(__file__).parents[1] / "campaigns"))
sys.path.insert(1, str(Path(__file__).parent / "hook"))

import pytest
import sitecustomize
from covering_tests import CoveringTests
from forks import Forked, fork
from mutants import Mutant, draw
from rich.progress import Progress

HOOK = Path(__file__).resolve().parent / "hook"
SCOPE = (
    "bench/statistics/*.py",
    "bench/metrics/*.py",
    "bench/ledger/*.py",
    "datasets/windows.py",
    "datasets/protocol.py",
)
IMPORTED_FIRST = (
    "hypothesis",
    "matplotlib",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy.stats",
    "skimage.metrics",
    "torch",
)
"""What tests spend seconds on importing: every mutant's process has them from the start."""
HANG_S = 240.0
"""Seconds after which a mutant counts as one that never ends, which its tests have noticed."""

Say = Callable[[Any], None]
Task = tuple[Mutant, Sequence[str]]
"""A mutant, and the test functions to run."""
Verdict = Literal["killed", "survived", "hung", "untested"]


@dataclass(frozen=True)
class Result:
    """What the tests said of a mutant."""

    mutant: Mutant
    verdict: Verdict
    """Untested: no test runs the line."""
    num_tests: int
    """Test functions that run the line and were chosen."""
    seconds: float

    @property
    def is_unnoticed(self) -> bool:
        """Whether no test noticed the change."""
        return self.verdict in ("survived", "untested")


class Journal:
    """The results so far, one line each."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "mutants.jsonl"
        self.results: dict[Mutant, Result] = {}
        """The last of each mutant."""
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                values = json.loads(line)
                mutant = Mutant(**values.pop("mutant"))
                self.results[mutant] = Result(mutant, **values)

    def add(self, result: Result) -> None:
        """Keep a result."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        self.results[result.mutant] = result


def judge(root: Path, mutant: Mutant, tests: Sequence[str], scratch: Path) -> Result:
    """Run the tests on a mutant, in a process of its own."""
    start = time.monotonic()
    if not tests:
        return Result(mutant, "untested", 0, 0.0)
    child = fork(lambda say: _test(root, mutant, tests, scratch, say))
    status, answer = child.wait_for_answer(HANG_S)
    child.kill()
    child.end()
    shutil.rmtree(scratch, ignore_errors=True)
    verdict: Verdict = "hung" if status == "hang" else "survived" if (status, answer) == ("answer", 0) else "killed"
    return Result(mutant, verdict, len(tests), round(time.monotonic() - start, 1))


def _test(root: Path, mutant: Mutant, tests: Sequence[str], scratch: Path, say: Say) -> None:
    original = root / mutant.path
    scratch.mkdir()
    changed = scratch / "mutant.py"
    changed.write_text(mutant.code(original.read_text(encoding="utf-8")), encoding="utf-8")
    os.environ[sitecustomize.VARIABLE] = f"{original}{os.pathsep}{changed}"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HOOK), os.environ.get("PYTHONPATH"))))
    sitecustomize.install()
    log = os.open(scratch / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.chdir(root)
    options = ("-x", "-q", "-m", "not thorough", "-p", "no:cacheprovider", "--basetemp", str(scratch / "pytest"))
    say(int(pytest.main([*options, *tests])))


def _work(root: Path, tasks: Sequence[Task], scratch: Path, say: Say) -> None:
    for number, (mutant, tests) in enumerate(tasks):
        say(judge(root, mutant, tests, scratch / str(number)))


def judge_all(root: Path, tasks: Sequence[Task], jobs: int, scratch: Path) -> Iterator[Result]:
    """The results of several processes, as they come."""
    workers: list[Forked] = []
    for number in range(jobs):
        own = scratch / str(number)
        own.mkdir()
        workers.append(fork(lambda say, number=number, own=own: _work(root, tasks[number::jobs], own, say)))
    while workers:
        ready, _, _ = select.select([worker.answers for worker in workers], [], [])
        for worker in [worker for worker in workers if worker.answers in ready]:
            status, answer = worker.wait_for_answer(HANG_S)
            if status == "answer":
                yield answer
                continue
            workers.remove(worker)
            if answer != 0:
                raise SystemExit(f"a process that tests mutants ended with exit code {answer}")


def change(root: Path, mutant: Mutant) -> str:
    """The change as the lines that differ."""
    source = (root / mutant.path).read_text(encoding="utf-8")
    lines = difflib.unified_diff(source.splitlines(), mutant.code(source).splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def report(root: Path, results: Sequence[Result]) -> str:
    """The survivors with their changes, then how many each folder's tests noticed."""
    lines = []
    for result in sorted(results, key=lambda result: (result.mutant.path, result.mutant.line)):
        if result.is_unnoticed:
            lines += [f"{result.mutant.path}:{result.mutant.line} {result.verdict}", change(root, result.mutant), ""]
    lines += ["| code | mutants | noticed | survived | untested |", "| :-- | --: | --: | --: | --: |"]
    folders = sorted({os.path.dirname(result.mutant.path) for result in results})
    for folder in (*folders, ""):
        own = [result.verdict for result in results if result.mutant.path.startswith(folder)]
        noticed = own.count("killed") + own.count("hung")
        shares = f"{noticed} ({noticed / len(own):.1%}) | {own.count('survived')} | {own.count('untested')}"
        lines.append(f"| {folder or 'all'} | {len(own)} | {shares} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=600, help="how many are drawn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--code", action="append", metavar="PATTERN", help="only these modules; repeat for several")
    parser.add_argument("--retry", action="store_true", help="judge again what survived before, as after new tests")
    parser.add_argument("--root", type=Path, default=Path(), help="of the repository; by default the working directory")
    parser.add_argument("--coverage", type=Path, default=Path(".coverage"), help="what tox -e coverage wrote")
    parser.add_argument("--times", type=Path, default=Path("coverage-junit.xml"), help="what tox -e coverage wrote")
    parser.add_argument("--out", type=Path, default=Path("mutation"), help="folder of the results")
    chosen = parser.parse_args(arguments)
    for file in (chosen.coverage, chosen.times):
        if not file.is_file():
            parser.error(f"there is no {file}: run python3 -m tox run -e coverage first")
    for name in IMPORTED_FIRST:
        importlib.import_module(name)
    root = chosen.root.resolve()
    paths = sorted(str(path.relative_to(root)) for pattern in chosen.code or SCOPE for path in root.glob(pattern))
    mutants = draw(root, paths, chosen.mutants, chosen.seed)
    journal = Journal(chosen.out)
    known = {mutant for mutant, result in journal.results.items() if not (chosen.retry and result.is_unnoticed)}
    left = [mutant for mutant in mutants if mutant not in known]
    # Here and not in the child processes, where coverage would begin its file anew.
    tests = CoveringTests(root, chosen.coverage, chosen.times)
    tasks = [(mutant, tests.of(mutant.path, mutant.line)) for mutant in left]
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch, Progress(transient=True) as progress:
        task = progress.add_task("mutants", total=len(mutants), completed=len(mutants) - len(left))
        for result in judge_all(root, tasks, chosen.jobs, Path(scratch)):
            journal.add(result)
            progress.advance(task)
    print(report(root, [journal.results[mutant] for mutant in mutants]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
