"""What there is: tokenizers, datasets, metrics and suites, with what each needs; as text and for programs.

Tokenizers are listed without loading torch.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...reports.tables.plain import PlainTable, to_terminal
from ..catalog import catalog
from ..catalog.registry import BrokenPlugin
from .tokenizer_listing import READY, list_tokenizers

WIDTH = 100
"""Columns that a list takes where nothing else is known."""
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}


@dataclass(frozen=True)
class Listing:
    """Things of one kind."""

    kind: str
    table: PlainTable
    """Its last column wraps; its notes say what brings what is missing."""
    records: Sequence[dict[str, Any]]
    """The same for programs, with more of each."""
    broken: Sequence[BrokenPlugin] = ()
    """Plugins that can't be used."""

    def text(self, width: int = WIDTH) -> str:
        """As text ``width`` columns wide; what can't be broken is wider."""
        lines = [*self.table.notes]
        lines += [f"broken plugin {plugin.name} ({plugin.origin}): {plugin.reason}" for plugin in self.broken]
        plain = PlainTable(self.table.columns, self.table.rows, self.table.alignment, [_wrap(x, width) for x in lines])
        return to_terminal(plain, width=width)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {self.kind: list(self.records), "broken_plugins": [asdict(plugin) for plugin in self.broken]}


def listing(
    kind: str,
    card_folders: tuple[Path, ...] = (),
    *,
    family: str | None = None,
    ready: bool = False,
    published: bool = False,
) -> Listing:
    """What there is of a kind.

    Args:
        kind: ``tokenizers``, ``datasets``, ``metrics`` or ``suites``.
        card_folders: folders with further cards.
        family: only tokenizers of this family.
        ready: only what can run now.
        published: what papers print of the tokenizers in place of what they are.

    Raises:
        ValueError: if no tokenizer is of the family, or the kind has no such filter.
    """
    given = {"--family": family is not None, "--published": published}
    if kind != "tokenizers" and any(given.values()):
        named = " and ".join(option for option, is_given in given.items() if is_given)
        raise ValueError(f"only tokenizers have {named}: toklab list tokenizers {named}")
    if kind == "suites" and ready:
        raise ValueError("suites have no --ready: toklab list tokenizers --ready shows what can run")
    kinds: dict[str, Callable[[], Listing]] = {
        "tokenizers": lambda: _tokenizers(card_folders, family, ready, published),
        "datasets": lambda: _datasets(ready),
        "metrics": lambda: _metrics(ready),
        "suites": _suites,
    }
    return kinds[kind]()


def _wrap(line: str, width: int) -> str:
    """A line in several, each part of a name or path whole."""
    wrapper = textwrap.TextWrapper(width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(line) if len(line) > width else line


def _tokenizers(card_folders: tuple[Path, ...], family: str | None, ready: bool, published: bool) -> Listing:
    registry = catalog.tokenizers(card_folders)
    table, records = list_tokenizers(registry, family=family, ready=ready, published=published)
    return Listing("tokenizers", table, records, registry.broken)


def _datasets(ready: bool) -> Listing:
    registry = catalog.datasets()
    records: list[dict[str, Any]] = []
    for name in registry:
        root = os.environ.get("TOKLAB_DATA")
        place = f"{root}/{name}" if root and Path(root, name).is_dir() else ""
        is_ready = bool(place) or name == "sample"
        hint = "" if is_ready else f"{name}:FOLDER"
        if is_ready or not ready:
            records.append(
                {"name": name, "origin": registry.origin(name), "ready": is_ready, "place": place, "hint": hint}
            )
    rows = [(r["name"], r["origin"], r["place"] or (f"give it: {r['hint']}" if r["hint"] else READY)) for r in records]
    return Listing("datasets", PlainTable(("dataset", "from", "place"), rows), records, registry.broken)


def _metrics(ready: bool) -> Listing:
    from ..catalog.broken_metric import BrokenMetric, availability, find_metric

    registry = catalog.metrics()
    records: list[dict[str, Any]] = []
    for name in registry:
        metric = find_metric(name)
        if isinstance(metric, BrokenMetric):
            if name not in {plugin.name for plugin in registry.broken}:
                registry.report_broken(name, registry.origin(name), metric.why.reason)
            continue
        unavailable = availability(metric)
        if ready and unavailable is not None:
            continue
        facts = {"name": name, "direction": metric.direction, "unit": metric.unit, "ready": unavailable is None}
        absent = {"reason": "", "hint": ""} if unavailable is None else asdict(unavailable)
        records.append({**facts, "reason": absent["reason"], "hint": absent["hint"], "convention": metric.convention})
    words = {True: "yes", False: "no"}
    rows = [(r["name"], ARROWS[r["direction"]], r["unit"], words[r["ready"]], r["convention"]) for r in records]
    lacking: dict[str, list[str]] = {}
    for record in records:
        if not record["ready"]:
            lacking.setdefault(record["hint"] or record["reason"], []).append(record["name"])
    num_ready = sum(record["ready"] for record in records)
    notes = [f"{num_ready} metrics are ready" if ready else f"{len(records)} metrics, {num_ready} ready"]
    notes += [f"  {', '.join(names)}: {hint}" for hint, names in lacking.items()]
    table = PlainTable(("metric", "better", "unit", "ready", "convention"), rows, notes=notes)
    return Listing("metrics", table, records, registry.broken)


def _suites() -> Listing:
    from ..planning.suite import shipped_suites

    records = [
        {
            "name": name,
            "title": suite.title,
            "datasets": list(suite.datasets),
            "protocol": suite.protocol,
            "tokenizers": list(suite.tokenizers),
            "metrics": list(suite.metrics),
        }
        for name, suite in shipped_suites().items()
    ]
    rows = [(r["name"], ", ".join(r["datasets"]), r["protocol"], len(r["tokenizers"]), r["title"]) for r in records]
    return Listing("suites", PlainTable(("suite", "datasets", "protocol", "tokenizers", "title"), rows), records)
