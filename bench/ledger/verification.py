"""Reading everything in a run folder, to say what is sound and what is damaged."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .arrays import unpack_arrays
from .errors import DamagedLedger, LedgerError
from .ledger import Ledger
from .plans import plan_file, planned_cells, read_plan
from .records import CellRecord

SUITE_FILE = "suite.json"


@dataclass(frozen=True)
class Finding:
    """One part of a run folder: sound, or damaged and what to do."""

    subject: str
    """Which file, and which cell of it."""
    text: str
    """What was found."""
    is_sound: bool = True
    fix: str = ""
    """What computes the damaged part again."""
    cell_id: str = ""
    """The cell that is damaged."""
    path: Path | None = None
    """The file that is damaged."""


def verify_run(folder: Path) -> list[Finding]:
    """Read everything in a run folder and check it; nothing is written.

    Raises:
        LedgerError: if ``folder`` holds no ledger, or a newer version of toklab wrote it.
    """
    try:
        with Ledger(folder) as ledger:
            return _verify(ledger)
    except DamagedLedger as damaged:
        return [_damage(damaged)]


def _verify(ledger: Ledger) -> list[Finding]:
    findings = []
    if not ledger.is_checked:
        findings.append(
            Finding(
                str(ledger.path),
                "ledger format 1, which has no checksums: it can be read, but damage can go unseen. "
                "The next `toklab run` into the folder adds them",
            )
        )

    def examine(subject: str, read: Callable[[], str]) -> None:
        try:
            findings.append(Finding(subject, read()))
        except DamagedLedger as damaged:
            findings.append(_damage(damaged, subject))
        except LedgerError as error:
            findings.append(Finding(subject, str(error), is_sound=False))

    cells: dict[str, CellRecord] = {}

    def read_cells() -> str:
        cells.update({cell.cell_id: cell for cell in ledger.cells()})
        return f"{len(cells)} cells"

    examine(f"{ledger.path}: runs", lambda: f"{len(ledger.runs())} runs")
    examine(f"{ledger.path}: cells", read_cells)
    examine(f"{ledger.path}: references", lambda: f"{len(ledger.reference_measurements())} measurements")
    examine(f"{ledger.path}: Parquet files", lambda: f"{len(ledger.files())} registered")
    others: list[str] = []
    with suppress(LedgerError):
        others = ledger.cell_ids()
    for cell_id in dict.fromkeys((*cells, *others)):
        label = cells[cell_id].label if cell_id in cells else cell_id
        status = f", {cells[cell_id].status}" if cell_id in cells else ""
        examine(f"cell {label} ({cell_id}{status})", lambda cell_id=cell_id: _read_cell(ledger, cell_id))
    with suppress(LedgerError):  # the registered files are damaged then, which was found above
        findings += [
            Finding(str(path), "left by a killed run and never read; it may be deleted")
            for path in ledger.stray_files()
        ]
    for cell_id in planned_cells(ledger.folder):
        examine(str(plan_file(ledger.folder, cell_id)), lambda cell_id=cell_id: _read_plan(ledger.folder, cell_id))
    suite = ledger.folder / SUITE_FILE
    if suite.is_file():
        findings.append(_read_suite(suite))
    return findings


def _read_cell(ledger: Ledger, cell_id: str) -> str:
    rows, measurements = ledger.rows(cell_id), ledger.measurements(cell_id)
    for found in measurements.values():
        for measurement in found.values():
            unpack_arrays(measurement.arrays)
    return f"{len(rows)} windows, {sum(map(len, measurements.values()))} measurements"


def _read_plan(folder: Path, cell_id: str) -> str:
    plan = read_plan(folder, cell_id)
    return "no plan" if plan is None else f"{len(plan.windows)} planned windows"


def _read_suite(path: Path) -> Finding:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        text = f"it can't be understood ({error})"
        return Finding(str(path), text, is_sound=False, fix="delete it; the next `toklab run` writes it", path=path)
    return Finding(str(path), "can be read; it has no checksum")


def _damage(damaged: DamagedLedger, subject: str = "") -> Finding:
    place = str(damaged.path) if not subject or str(damaged.path) in subject else f"{damaged.path}: {subject}"
    return Finding(place, damaged.what, False, damaged.fix, damaged.cell_id, damaged.path)


def forget_damaged(folder: Path, findings: list[Finding]) -> list[str]:
    """Drop the damaged cells' contents, so that the next run computes them again; says what was dropped.

    What is damaged beyond single cells stays: see the findings' fixes.

    Raises:
        LedgerError: if the folder can't be written, or something else in it is damaged.
    """
    damaged = [finding for finding in findings if not finding.is_sound and finding.cell_id]
    dropped = []
    for finding in damaged:
        if finding.path is not None and finding.path.suffix == ".parquet":
            finding.path.unlink(missing_ok=True)
            dropped.append(str(finding.path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the files just deleted are missing
        ledger = Ledger(folder, write=True)
    with ledger:
        for finding in damaged:
            if finding.path == ledger.path:
                ledger.forget_pending(finding.cell_id)
                dropped.append(finding.subject)
    return dropped
