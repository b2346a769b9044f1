"""What a run knows of its systems and metrics beyond the figures, for a paper's prose and summary tables."""

from __future__ import annotations

from collections.abc import Sequence

from ...reports.paper.facts import RunFacts, SystemFacts, TrainingFacts
from ...tokenizers.card_file import read_card
from ...tokenizers.catalog import shipped_cards_folder
from ..catalog.broken_metric import find_metric
from .cell_results import CellResults

MILLION, TRILLION = 1e6, 1e12


def run_facts(results: Sequence[CellResults], *, remarks: Sequence[str] = ()) -> RunFacts:
    """The systems of a run and the conventions of its metrics; ``remarks`` are handed on."""
    names = dict.fromkeys(name for result in results for name in result.cell.metrics)
    first: dict[str, CellResults] = {}
    for result in results:
        first.setdefault(result.label, result)
    return RunFacts(
        systems=tuple(map(_system_facts, first.values())),
        conventions={name: find_metric(name).convention for name in names},
        remarks=tuple(remarks),
    )


def _system_facts(result: CellResults) -> SystemFacts:
    cell, spec = result.cell, result.cell.spec
    params, macs = (cell.facts.get(name) for name in ("params_total", "macs_total"))
    height, width = cell.protocol.get("height"), cell.protocol.get("width")
    rows = result.contents.rows
    frames = set(rows.num_frames[rows.is_scored].tolist())
    return SystemFacts(
        label=result.label,
        regularizer=spec.get("regularizer_label", ""),
        causal=bool(spec.get("causal", True)),
        temporal_compression=int(spec.get("temporal_compression", 1)),
        spatial_compression=int(spec.get("spatial_compression", 1)),
        latent_channels=spec.get("latent_channels"),
        codebook_size=spec.get("codebook_size"),
        input_size=(frames.pop(), int(height), int(width)) if len(frames) == 1 and height and width else None,
        params=params / MILLION if params else None,
        macs=macs / TRILLION if macs else None,
        weights=cell.weights,
        licence=spec.get("licence", ""),
        training=_training(cell.tokenizer, cell.weights),
    )


def _training(tokenizer: str, weights: str) -> TrainingFacts | None:
    """How toklab trained these very weights, if a shipped card says so."""
    source = shipped_cards_folder().joinpath(f"{tokenizer}.toml")
    if not source.is_file():
        return None
    card = read_card(source)
    made = card.training
    if made is None or weights != f"sha256:{card.checkpoint.sha256}":
        return None
    return TrainingFacts(made.recipe, made.data, made.steps, made.seconds, made.device, made.validation, made.psnr)
