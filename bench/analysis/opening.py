"""Opening what was measured: run folders and result records, one or several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...reports.record.reading import is_record
from .cell_results import CellResults
from .portable_text import portable_dataset
from .record_reading import open_record
from .results import RunResults, named_together


def open_results(paths: Sequence[Path]) -> RunResults:
    """Read run folders and result records; several of them as one run.

    Of a tokenizer that several hold under one protocol and with the same settings and weights, the one with the most
    windows counts. The run's ``remarks`` say which.

    Raises:
        LedgerError: if a folder is no run folder, or damaged.
        RecordError: if a file is no result record, was changed, or is of another version.
        ValueError: if ``paths`` is empty.
    """
    parts = open_parts(paths)
    return parts[0].run if len(parts) == 1 else joined(parts)


@dataclass(frozen=True)
class Part:
    """One of several runs."""

    name: str
    """Of its folder or file, unique among them."""
    run: RunResults


def open_parts(paths: Sequence[Path]) -> list[Part]:
    """Read run folders and result records, each on its own; errors as :func:`open_results`."""
    if not paths:
        raise ValueError("name a run folder or a result record")
    return [Part(name, _open(path)) for name, path in zip(_short_names(paths), paths, strict=True)]


def _short_names(paths: Sequence[Path]) -> list[str]:
    """The last components of paths, as many as it takes to tell them apart."""
    parts = [path.absolute().parts for path in paths]
    for depth in range(1, max(map(len, parts))):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(set(parts)):
            return names
    return ["/".join(each) for each in parts]


def _open(path: Path) -> RunResults:
    if not is_record(path):
        return RunResults.read(path)
    record = open_record(path)
    return RunResults(record.title, record.results, record.provenance)


def joined(parts: Sequence[Part]) -> RunResults:
    """Several runs as one, see :func:`open_results`."""
    chosen: dict[str, tuple[str, CellResults]] = {}
    doubled: dict[str, list[tuple[str, CellResults]]] = {}
    for part in parts:
        for result in part.run.results:
            cell = replace(result.cell, dataset=portable_dataset(result.cell.dataset))
            found = (part.name, replace(result, cell=cell))
            doubled.setdefault(cell.cell_id, []).append(found)
    for cell_id, found in doubled.items():
        # The first of those with the most.
        chosen[cell_id] = max(found, key=lambda one: _extent(one[1]))
    results = named_together([result for _, result in chosen.values()])
    origins = {cell_id: name for cell_id, (name, _) in chosen.items()}
    suites = [part.run.suite for part in parts]
    return RunResults(
        name=" + ".join(dict.fromkeys(part.run.name for part in parts)),
        results=tuple(results),
        provenance=(_common([provenance for part in parts for provenance in part.run.provenance]),),
        suite=suites[0] if all(suite == suites[0] for suite in suites) else None,
        remarks=(*_origins(results, origins, parts), *_choices(results, origins, doubled)),
    )


def _extent(result: CellResults) -> tuple[bool, int, int]:
    """How much was measured."""
    return result.cell.status != "failed", result.num_scored, len(result.cell.metrics)


def _origins(results: Sequence[CellResults], origins: Mapping[str, str], parts: Sequence[Part]) -> list[str]:
    """Where the figures are from, and with which versions."""
    found = []
    for part in parts:
        labels = dict.fromkeys(result.label for result in results if origins[result.cell.cell_id] == part.name)
        last = part.run.provenance[-1] if part.run.provenance else {}
        versions = last.get("versions", {})
        made = [f"{name} {versions[name]}" for name in ("toklab", "torch") if name in versions]
        made += [str(last[name]) for name in ("device",) if last.get(name)]
        if labels:
            found.append(f"From {part.name} ({', '.join(made) or 'versions unknown'}): {', '.join(labels)}")
    return found


def _choices(
    results: Sequence[CellResults], origins: Mapping[str, str], doubled: Mapping[str, Sequence[tuple[str, CellResults]]]
) -> list[str]:
    """Which of several was taken."""
    found = []
    for result in results:
        cell_id = result.cell.cell_id
        others = [
            f"{name} ({other.num_scored:,} windows)" for name, other in doubled[cell_id] if name != origins[cell_id]
        ]
        if others:
            found.append(
                f"{result.label} on {result.dataset} is also in {', '.join(others)}; its figures are those of "
                f"{origins[cell_id]} ({result.num_scored:,} windows)"
            )
    return found


def _common(provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What holds of every run alike."""
    first = provenances[0] if provenances else {}
    shared = {name: value for name, value in first.items() if all(other.get(name) == value for other in provenances)}
    versions = [other.get("versions", {}) for other in provenances]
    alike = {n: v for n, v in first.get("versions", {}).items() if all(other.get(n) == v for other in versions)}
    return {**shared, "versions": alike, "command": []}
