"""Tokenizers by family, with what each needs before it can run and what papers print of it. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.published.by_card import PublishedRow, fullest, published_rows
from ...reports.tables.plain import PlainTable
from ...tokenizers.adapters import install_command
from ...tokenizers.errors import did_you_mean
from ...tokenizers.trust.cards import OPTION, is_trusted, named_code
from ..catalog.catalog import TokenizerCatalog
from ..catalog.registry import BUILT_IN
from ..catalog.tokenizer_entry import CardTokenizer, TokenizerEntry

READY = "ready"
RANDOM = "ready (random)"
"""State of a tokenizer that runs, and whose figures mean nothing."""
PULL = "toklab weights pull"
FEW = 3
"""Checkpoints whose places a list names one by one."""


@dataclass(frozen=True)
class Need:
    """Something that a tokenizer lacks."""

    word: str
    """In the table."""
    hint: str
    """What brings it."""
    is_own: bool = False
    """Whether the hint is of this tokenizer alone."""


def list_tokenizers(
    registry: TokenizerCatalog, *, family: str | None, ready: bool, published: bool
) -> tuple[PlainTable, list[dict[str, Any]]]:
    """The tokenizers of a family, or all, as a table and as records.

    Raises:
        ValueError: if no tokenizer is of the family; with the nearest ones.
    """
    printed = published_rows()
    entries = [(entry, entry.describe(), needs_of(entry)) for entry in registry]
    families = sorted({str(facts["family"]).casefold() for _, facts, _ in entries})
    if family is not None and family.casefold() not in families:
        near = did_you_mean(family.casefold(), families) or "."
        raise ValueError(f"no tokenizer is of the family {family!r}{near} Families: {', '.join(families)}")
    wanted = family.casefold() if family is not None else None
    chosen = [item for item in entries if wanted in (None, str(item[1]["family"]).casefold())]
    num_ready = sum(not needs for _, _, needs in chosen)
    chosen = [item for item in chosen if not (ready and item[2])]
    records = [_record(entry, facts, needs, printed.get(entry.name, [])) for entry, facts, needs in chosen]
    if published:
        return _published_table([entry.name for entry, _, _ in chosen], printed), records
    rows = [
        (
            entry.name,
            facts["family"],
            _regularizer(facts),
            "×".join(map(str, record["compression"] or ())),
            ", ".join(dict.fromkeys(need.word for need in needs)) or (RANDOM if _is_random(facts) else READY),
        )
        for (entry, facts, needs), record in zip(chosen, records, strict=True)
    ]
    of = f" of the family {family}" if family else ""
    counted = f"{num_ready} tokenizers{of} are ready" if ready else f"{len(chosen)} tokenizers{of}, {num_ready} ready"
    notes = [counted, *_hints([(entry, need) for entry, _, needs in chosen for need in needs])]
    if any(not needs and _is_random(facts) for _, facts, needs in chosen):
        notes.append(f"  {RANDOM}: weights nobody has trained; figures test the harness only")
    return PlainTable(("tokenizer", "family", "regularizer", "t×h×w", "state"), rows, notes=notes), records


def _is_random(facts: dict[str, Any]) -> bool:
    return str(facts["weights"]).startswith("random")


def needs_of(entry: TokenizerEntry) -> list[Need]:
    """What a tokenizer lacks; empty if it can run now."""
    needs: list[Need] = []
    if extra := entry.missing_extra():
        needs.append(Need("extra", f"extra: {install_command(extra)}"))
    if (hint := entry.hint()).startswith(PULL):
        needs.append(Need("download", f"download: {PULL} NAME"))
    elif hint:
        needs.append(Need("checkpoint", f"{entry.name}: {hint}", is_own=True))
    if isinstance(entry, CardTokenizer) and (code := named_code(entry.card)) and not is_trusted(entry.card):
        needs.append(Need(OPTION, f"{OPTION}: {entry.name} names code that toklab doesn't ship, {code}"))
    return needs


def _hints(needs: Sequence[tuple[TokenizerEntry, Need]]) -> list[str]:
    """What brings what is missing: of many checkpoints, how to ask; those of the user's own cards are always named."""
    of_toklab = [need for entry, need in needs if need.is_own and entry.origin == BUILT_IN]
    many = of_toklab if len(of_toklab) > FEW else []
    hints = list(dict.fromkeys(need.hint for _, need in needs if need not in many))
    if many:
        hints.append(f"checkpoint: toklab weights path NAME says where each of the {len(many)} comes from")
    return [f"  {hint}" for hint in hints]


def _record(
    entry: TokenizerEntry, facts: dict[str, Any], needs: Sequence[Need], printed: Sequence[PublishedRow]
) -> dict[str, Any]:
    spatial = facts.get("spatial_compression")
    made = entry.card.training if isinstance(entry, CardTokenizer) else None
    return {
        "name": entry.name,
        "system": facts["title"],
        "family": facts["family"],
        "origin": entry.origin,
        "regularizer": facts.get("regularizer"),
        "codebook_size": facts.get("codebook_size"),
        "latent_channels": facts.get("latent_channels"),
        "compression": [facts["temporal_compression"], spatial, spatial] if spatial else None,
        "causal": facts.get("causal"),
        "licence": facts.get("licence"),
        "weights": facts["weights"],
        "training": made.facts if made else None,
        "ready": not needs,
        "needs": [need.word for need in needs],
        "hints": [need.hint for need in needs],
        "published": [{"figures": row.text, "source": row.source} for row in printed],
    }


def _regularizer(facts: dict[str, Any]) -> str:
    """Regularizer with codes or channels, as far as the facts go."""
    size = f" - {facts['codebook_size']:,}" if facts.get("codebook_size") else ""
    size = size or (f" - {facts['latent_channels']}chn" if facts.get("latent_channels") else "")
    return f"{facts.get('regularizer', '').upper()}{size}"


def _published_table(names: Sequence[str], printed: dict[str, list[PublishedRow]]) -> PlainTable:
    """Of each tokenizer the fullest row that a source prints."""
    sources: dict[str, int] = {}
    rows: list[tuple[str, str, str]] = []
    for name in names:
        if name in printed:
            row = fullest(printed[name])
            rows.append((name, f"[{sources.setdefault(row.source, len(sources) + 1)}]", row.text))
    notes = [
        f"{len(rows)} of {len(names)} tokenizers have published figures, not measured here, each under its source's "
        "protocol:",
        *(f"  [{number}] {source}" for source, number in sources.items()),
    ]
    return PlainTable(("tokenizer", "source", "published"), rows, notes=notes)
