"""The machinery of campaigns: faults are counted as what they are, and a campaign goes on where it was ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="campaigns fork their processes")
FOLDER = Path(__file__).parent

PROBE = """
import os, signal, sys, time
from pathlib import Path
sys.path[:0] = [{folder!r}, {support!r}]
import campaign
from faults import FaultKind, Outcome

campaign.LIMIT_S = 2.0

class Probe(FaultKind):
    name = tried = "probe"
    share = 10_000
    per_process = 4

    def prepare(self, folder):
        (folder / "made").touch()

    def attempt(self, rng, folder, scratch):
        assert (folder / "made").exists() and not list(scratch.iterdir())
        match int(rng.integers(0, 1_000_000)) % 5:
            case 0: raise KeyError("no")
            case 1: os.kill(os.getpid(), signal.SIGSEGV)
            case 2: time.sleep(600)
            case 3: return Outcome("wrong", "differs")
        return Outcome("survived", "as it was")

campaign.KINDS = (Probe(),)
sys.exit(campaign.main(["--faults", sys.argv[1], "--seed", "3", "--out", sys.argv[2]]))
"""


def run_probe(faults: int, out: Path) -> tuple[int, str]:
    script = PROBE.format(folder=str(FOLDER), support=str(FOLDER.parent / "support"))
    done = subprocess.run([sys.executable, "-c", script, str(faults), str(out)], capture_output=True, text=True)
    return done.returncode, done.stdout


def entries(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "faults.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_each_outcome_is_told_apart_and_a_campaign_goes_on(tmp_path: Path) -> None:
    code, _ = run_probe(6, tmp_path / "out")
    first = entries(tmp_path / "out")
    with (tmp_path / "out" / "faults.jsonl").open("a") as file:
        file.write('{"kind": "probe", "se')
    code, table = run_probe(16, tmp_path / "out")
    found = entries(tmp_path / "out")
    assert found[:6] == first
    assert [entry["number"] for entry in found] == list(range(16))
    meant = ("traceback", "crash", "hang", "wrong", "survived")
    assert [entry["verdict"] for entry in found] == [meant[_drawn(number)] for number in range(16)]
    assert set(meant) == {entry["verdict"] for entry in found}
    counts = [sum(entry["verdict"] == verdict for entry in found) for verdict in VERDICTS]
    assert f"| all | | 16 | {' | '.join(map(str, counts))} |" in table
    assert code == 1


VERDICTS = ("survived", "refused", "doubted", "lost row", "wrong", "traceback", "crash", "hang")


def _drawn(number: int) -> int:
    return int(np.random.default_rng([3, zlib.crc32(b"probe"), number]).integers(0, 1_000_000)) % 5


@pytest.mark.slow
def test_a_few_faults_of_the_quick_kinds(tmp_path: Path) -> None:
    quick = ("kill a merge", "damage a run", "mistakes in TOML")
    words = [word for kind in quick for word in ("--kind", kind)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "campaign.py"), "--faults", "120", "--out", str(tmp_path), *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    tried = [entry["kind"] for entry in entries(tmp_path)]
    assert [tried.count(kind) for kind in quick] == [1, 52, 27]


@pytest.mark.slow
def test_a_killed_task_is_killed_and_what_it_said_before_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from forks import killed_after

    def task(say: Callable[[Any], None]) -> None:
        say("first")
        time.sleep(600)
        say("never")

    assert killed_after(task, 1.0) == (True, ["first"])
    assert killed_after(lambda say: say("all"), 600.0) == (False, ["all"])
