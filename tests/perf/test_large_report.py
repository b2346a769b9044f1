"""The report of a ledger of 20 tokenizers on many windows: time and memory, in a process of its own.

A million windows (``TOKLAB_PERF_WINDOWS=1000000``) take 2.5 GB of disk; the default is a tenth.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from large_ledgers import LargeLedger

NUM_TOKENIZERS, WINDOWS_PER_VIDEO = 20, 10
NUM_WINDOWS = int(os.environ.get("TOKLAB_PERF_WINDOWS", "100000"))
MOST_PAGE_BYTES = 6_000_000

REPORT = """
import json, resource, sys, time
from pathlib import Path
from toklab.bench.analysis.opening import open_results
from toklab.bench.analysis.run_report import write_run_report
start = time.perf_counter()
run = open_results([Path(sys.argv[1])])
read = time.perf_counter() - start
written = write_run_report(run, Path(sys.argv[2]), ("html", "md", "csv"))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
page = next(path for path in written if path.suffix == ".html").stat().st_size
print(json.dumps({"read_s": read, "report_s": seconds, "cpu_s": time.process_time(), "peak": peak, "page": page}))
"""


def test_report(benchmark, tmp_path: Path, say: Callable[[str], None]) -> None:
    folder = tmp_path / "run"
    num_videos = NUM_WINDOWS // (NUM_TOKENIZERS * WINDOWS_PER_VIDEO)
    LargeLedger(
        NUM_TOKENIZERS, num_videos, WINDOWS_PER_VIDEO, num_with_features=min(2_000, num_videos * WINDOWS_PER_VIDEO)
    ).write(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    command = [sys.executable, "-c", REPORT, str(folder), str(tmp_path / "report")]

    def report() -> dict[str, float]:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])

    found = benchmark.pedantic(report, rounds=1)
    say(
        f"{NUM_WINDOWS:,} windows, {size / 1e9:.2f} GB: read in {found['read_s']:.1f} s, reported in "
        f"{found['report_s']:.1f} s ({found['cpu_s']:.0f} s of processors), {found['peak'] / 1e9:.2f} GB of memory, "
        f"a page of {found['page'] / 1e6:.1f} MB"
    )
    assert found["page"] <= MOST_PAGE_BYTES
