"""Many people's results as one table, under one protocol."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path

from .opening import Part, joined, open_parts
from .results import RunResults

TITLE = "Leaderboard"


class LeaderboardError(ValueError):
    """Results that can't stand in one ranking."""


def open_leaderboard(paths: Sequence[Path], protocol: str = "", title: str = TITLE) -> RunResults:
    """Read records and run folders for one table.

    Args:
        paths: result records, or run folders.
        protocol: name or hash of a protocol; what was measured under others is left out.
        title: of the table.

    Raises:
        LeaderboardError: if a dataset was measured under several protocols and none was chosen, or nothing is left.
        ValueError: (a subclass) as :func:`.opening.open_results`.
    """
    opened = open_parts(paths)
    # A protocol may have another name in another part.
    cells = [result.cell for part in opened for result in part.run.results]
    hashes = {cell.protocol_hash for cell in cells if protocol in (cell.protocol_hash, cell.protocol["name"])}
    parts = [_under(part, hashes) for part in opened] if protocol else opened
    if not any(part.run.results for part in parts):
        wanted = f" under the protocol {protocol!r}" if protocol else ""
        raise LeaderboardError(f"nothing was measured{wanted}; there are: {_described(opened)}")
    run = joined(parts)
    protocols: dict[str, set[str]] = {}
    for result in run.results:
        protocols.setdefault(result.dataset, set()).add(result.cell.protocol_hash)
    if several := [dataset for dataset, hashes in protocols.items() if len(hashes) > 1]:
        raise LeaderboardError(
            f"{', '.join(several)}: figures under several protocols can't be ranked together: {_described(parts)}; "
            "choose one with --protocol HASH"
        )
    return replace(run, name=title)


def _under(part: Part, hashes: Set[str]) -> Part:
    """What a part measured under some protocols."""
    chosen = [result for result in part.run.results if result.cell.protocol_hash in hashes]
    return Part(part.name, replace(part.run, results=tuple(chosen)))


def _described(parts: Sequence[Part]) -> str:
    """Protocols and who used them."""
    users: dict[tuple[str, str], dict[str, None]] = {}
    for part in parts:
        for result in part.run.results:
            key = (str(result.cell.protocol["name"]), result.cell.protocol_hash)
            users.setdefault(key, {})[part.name] = None
    return "; ".join(f"{name} ({digest}) in {', '.join(used)}" for (name, digest), used in users.items())
