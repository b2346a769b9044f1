"""What there is, as text: tokenizers, datasets, metrics and suites, with what each needs.

Tokenizers are listed without loading torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...reports.published.card_figures import fullest, published_rows
from ...reports.tables.plain import PlainTable, to_terminal
from ...tokenizers.adapters import install_command
from ...tokenizers.trust.cards import OPTION, is_trusted, named_code
from ..catalog import catalog
from ..catalog.registry import BrokenPlugin
from ..catalog.tokenizer_entry import CardTokenizer, TokenizerEntry

READY = "ready"
PULL = "toklab weights pull"


def listing(kind: str, card_folders: tuple[Path, ...] = ()) -> str:
    """The listing of ``tokenizers``, ``datasets``, ``metrics`` or ``suites``."""
    kinds: dict[str, Callable[[], str]] = {
        "tokenizers": lambda: _tokenizers(card_folders),
        "datasets": _datasets,
        "metrics": _metrics,
        "suites": _suites,
    }
    return kinds[kind]()


def _broken(plugins: Sequence[BrokenPlugin]) -> str:
    return "".join(f"\nbroken plugin {plugin.name} ({plugin.origin}): {plugin.reason}" for plugin in plugins)


def _tokenizers(card_folders: tuple[Path, ...]) -> str:
    tokenizers = catalog.tokenizers(card_folders)
    published = published_rows()
    rows: list[tuple[str, ...]] = []
    hints: dict[str, None] = {}
    sources: dict[str, int] = {}
    ready = 0
    for entry in tokenizers:
        facts = entry.describe()
        state, needed = _state(entry)
        ready += not needed
        hints |= dict.fromkeys(needed)
        compression = (
            f"{facts['temporal_compression']}×{facts['spatial_compression']}×{facts['spatial_compression']}"
            if "temporal_compression" in facts
            else ""
        )
        shown = ""
        if entry.name in published:
            row = fullest(published[entry.name])
            shown = f"{row.text} [{sources.setdefault(row.source, len(sources) + 1)}]"
        weights = str(facts["weights"]).split(":")[0]
        rows.append((entry.name, facts["title"], _regularizer(facts), compression, weights, state, shown))
    columns = ("tokenizer", "system", "regularizer", "compression", "weights", "state", "published")
    footer = [f"{len(tokenizers)} tokenizers, {ready} ready", *(f"  {hint}" for hint in hints)]
    footer += ["published, not measured here, each under its source's protocol:"] if sources else []
    footer += [f"  [{number}] {source}" for source, number in sources.items()]
    return to_terminal(PlainTable(columns, rows, notes=footer)) + _broken(tokenizers.broken)


def _state(entry: TokenizerEntry) -> tuple[str, list[str]]:
    """Whether a tokenizer can run now or what it needs, and the commands that bring it."""
    needs: list[str] = []
    hints: list[str] = []
    if extra := entry.missing_extra():
        needs.append(f"the extra {extra}")
        hints.append(f"the extra {extra}: {install_command(extra)}")
    if (hint := entry.hint()).startswith(PULL):
        needs.append("a download")
        hints.append(f"a download: {PULL} NAME")
    elif hint:
        needs.append("its checkpoint")
        hints.append(f"{entry.name}: {hint}")
    if isinstance(entry, CardTokenizer) and (code := named_code(entry.card)) and not is_trusted(entry.card):
        needs.append(OPTION)
        hints.append(f"{OPTION}: {entry.name} names code that toklab doesn't ship, {code}")
    return (f"needs {' and '.join(needs)}" if needs else READY), hints


def _regularizer(facts: dict[str, Any]) -> str:
    """Regularizer with codes or channels, as far as the facts go."""
    size = f" - {facts['codebook_size']:,}" if facts.get("codebook_size") else ""
    size = size or (f" - {facts['latent_channels']}chn" if facts.get("latent_channels") else "")
    return f"{facts.get('regularizer', '').upper()}{size}"


def _datasets() -> str:
    registry = catalog.datasets()
    rows: list[tuple[str, ...]] = []
    for name in registry:
        root = os.environ.get("TOKLAB_DATA")
        place = f"{root}/{name}" if root and Path(root, name).is_dir() else f"give it: {name}:FOLDER"
        rows.append((name, registry.origin(name), "built in" if name == "sample" else place))
    return to_terminal(PlainTable(("dataset", "from", "place"), rows)) + _broken(registry.broken)


def _metrics() -> str:
    from ..catalog.broken_metric import BrokenMetric, availability, find_metric

    registry = catalog.metrics()
    rows: list[tuple[str, ...]] = []
    for name in registry:
        metric = find_metric(name)
        if isinstance(metric, BrokenMetric):
            if name not in {plugin.name for plugin in registry.broken}:
                registry.report_broken(name, registry.origin(name), metric.why.reason)
            continue
        unavailable = availability(metric)
        state = READY if unavailable is None else unavailable.hint
        better = {"higher": "↑", "lower": "↓", "none": ""}[metric.direction]
        rows.append((name, better, metric.unit, state, metric.convention))
    return to_terminal(PlainTable(("metric", "better", "unit", "state", "convention"), rows)) + _broken(registry.broken)


def _suites() -> str:
    from ..planning.suite import shipped_suites

    rows = [
        (name, ", ".join(suite.datasets), suite.protocol, len(suite.tokenizers), suite.title)
        for name, suite in shipped_suites().items()
    ]
    return to_terminal(PlainTable(("suite", "datasets", "protocol", "tokenizers", "title"), rows))
