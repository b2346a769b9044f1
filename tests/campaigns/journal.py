"""The file that a campaign's results go to, line by line, so that it can go on where it was ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from faults import BAD, GOOD, FaultKind, Outcome, Verdict

FILE_NAME = "faults.jsonl"


@dataclass(frozen=True)
class Entry:
    """One fault that was tried."""

    kind: str
    seed: int
    """Of the campaign."""
    number: int
    """Of the fault, among those of its kind."""
    verdict: Verdict
    detail: str
    seconds: float


class Journal:
    """What a campaign has tried so far, in a folder."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE_NAME
        self.entries: list[Entry] = []
        if self._path.is_file():
            content = self._path.read_bytes()
            # The last line of a campaign that was killed may be half written.
            whole = content[: content.rfind(b"\n") + 1]
            self.entries = [Entry(**json.loads(line)) for line in whole.splitlines()]
            if whole != content:
                os.truncate(self._path, len(whole))
        self._known = {(entry.kind, entry.seed, entry.number) for entry in self.entries}

    def has(self, kind: str, seed: int, number: int) -> bool:
        """Whether a fault was tried before."""
        return (kind, seed, number) in self._known

    def add(self, kind: str, seed: int, number: int, outcome: Outcome, seconds: float) -> Entry:
        """Note what came of a fault."""
        entry = Entry(kind, seed, number, outcome.verdict, outcome.detail, round(seconds, 3))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")
        self.entries.append(entry)
        self._known.add((kind, seed, number))
        return entry


def markdown_table(kinds: Iterable[FaultKind], entries: Iterable[Entry]) -> str:
    """What was tried and what came of it, one line a kind."""
    found = list(entries)
    verdicts = (*GOOD, *BAD)
    lines = [
        "| fault | what is done | tried | " + " | ".join(verdicts) + " |",
        "| --- | --- | ---: | " + " | ".join("---:" for _ in verdicts) + " |",
    ]
    for kind in kinds:
        own = [entry for entry in found if entry.kind == kind.name]
        if own:
            counts = " | ".join(f"{sum(entry.verdict == verdict for entry in own):,}" for verdict in verdicts)
            lines.append(f"| {kind.name} | {kind.tried} | {len(own):,} | {counts} |")
    counts = " | ".join(f"{sum(entry.verdict == verdict for entry in found):,}" for verdict in verdicts)
    lines.append(f"| all | | {len(found):,} | {counts} |")
    return "\n".join(lines)
