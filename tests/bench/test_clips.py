"""The runner on real clips: every window scored or failed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from toklab.bench.analysis.accounting import accounting_frame
from toklab.bench.analysis.results import read_results
from toklab.bench.ledger.ledger import Ledger

pytestmark = pytest.mark.clips


def counts(folder: Path) -> dict[str, Any]:
    with Ledger(folder) as ledger:
        return cast(dict[str, Any], accounting_frame(read_results(ledger)).to_dict("records")[0])


@pytest.mark.slow
def test_odd_containers_are_scored_or_reported(shared: Path, tmp_path: Path, run_suite: Callable) -> None:
    folder = shared / "clips" / "compat"
    summary, _ = run_suite(tmp_path / "run", folder=folder)
    found = counts(tmp_path / "run")
    assert found["requested"] == found["scored"] + found["failed"] > 100
    assert summary.failed_windows == found["failed"] == 0
    assert set(found["readers"].split(", ")) == {"decord", "pyav"}
    with Ledger(tmp_path / "run") as ledger:
        rows = ledger.rows(ledger.cells()[0].cell_id)
    assert {row.source for row in rows} == {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_tiny_vidtok_on_real_video_at_the_papers_size(shared: Path, tmp_path: Path, run_suite: Callable) -> None:
    summary, _ = run_suite(
        tmp_path / "run",
        ("vidtok-tiny-kl-4chn",),
        folder=shared / "clips" / "sample",
        protocol_changes={},
        limit=3,
    )
    assert summary.exit_code == 0
    assert counts(tmp_path / "run")["scored"] == 3
