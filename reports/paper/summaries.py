"""Tables in the shapes of Tables 2 to 5 of the VidTok paper, each where a run has its data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from ..identity import Identities, family_of
from ..schema import Figure, group_order, group_title
from ..tables.columns import metric_heading
from ..tables.plain import NONE
from ..tables.table import format_value, is_timing
from .content import PaperCell, PaperColumn, PaperSection, PaperTable
from .facts import RunFacts, SystemFacts
from .tables import without_constant_columns, without_empty_columns

Row = tuple[PaperCell, ...]


def summary_tables(figures: Sequence[Figure], facts: RunFacts, identities: Identities) -> tuple[PaperTable, ...]:
    """Architectures, regularizers, training and model summary, on the first dataset and protocol of the figures.

    Architectures that share a regularizer (Table 2), discrete regularizers of one system (Table 3), how the weights
    were trained that toklab made (Table 4), and what every model is (Table 5).

    Args:
        figures: measured ones; published ones are left out.
        facts: what the systems are.
        identities: their names.
    """
    measured = [figure for figure in figures if figure.origin == "measured" and figure.is_available]
    first = next(((figure.dataset, *figure.protocol_key) for figure in measured if figure.dataset), None)
    here = [figure for figure in measured if (figure.dataset, *figure.protocol_key) == first]
    if first is None:
        return ()
    run = _Measured(here, facts, identities)
    made = (_architectures(run), _regularizers(run), _training(run), _models(run))
    return tuple(without_constant_columns(without_empty_columns(table)) for table in made if table.sections)


class _Measured:
    """Figures of one dataset and protocol by system and metric."""

    def __init__(self, figures: Sequence[Figure], facts: RunFacts, identities: Identities):
        self.where = f"on {figures[0].dataset}"
        self.facts = {system.label: system for system in facts.systems}
        self.sources: dict[str, Figure] = {}
        self._identities = identities
        self._values: dict[tuple[str, str], Figure] = {}
        self._metrics: dict[str, Figure] = {}
        for figure in figures:
            self.sources.setdefault(figure.label, figure)
            self._values[figure.label, figure.metric] = figure
            if figure.direction != "none" and not is_timing(figure):
                self._metrics.setdefault(figure.metric, figure)

    def name(self, label: str) -> str:
        return self._identities[label].short

    def heads(self) -> tuple[PaperColumn, ...]:
        """A column for each metric that says which of two systems is better; speeds are the machine's."""
        headings = (metric_heading(figure.title, direction=figure.direction) for figure in self._metrics.values())
        return tuple(PaperColumn(heading, "r") for heading in headings)

    def row(self, label: str, *facts: str) -> Row:
        """Cells of what a system is, then its figures."""
        found = (self._values.get((label, metric)) for metric in self._metrics)
        return tuple(PaperCell(text) for text in (*facts, *(format_value(f) if f else NONE for f in found)))

    def grouped(self, key: Callable[[Figure], tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
        groups: dict[tuple[str, ...], list[str]] = {}
        for label, source in self.sources.items():
            groups.setdefault(key(source), []).append(label)
        return groups


def _architectures(run: _Measured) -> PaperTable:
    sections = []
    families = run.grouped(lambda figure: (family_of(figure.system), figure.group, figure.regularizer))
    for (family, _, regularizer), labels in families.items():
        if len({run.sources[label].system for label in labels}) > 1:
            rows = tuple(run.row(label, run.name(label), *_sizes(run.facts.get(label))) for label in labels)
            sections.append(PaperSection(f"{family}, {regularizer}", rows))
    heads = (PaperColumn("Method", "l"), PaperColumn("Params (M)", "r"), PaperColumn("MACs (G)", "r"), *run.heads())
    return PaperTable(
        "architectures", (f"Architectures that share a regularizer, {run.where}.",), heads, tuple(sections)
    )


def _regularizers(run: _Measured) -> PaperTable:
    sections = []
    for (_, system), labels in run.grouped(lambda f: (f.group, f.system)).items():
        kinds = {run.sources[label].regularizer for label in labels}
        if run.sources[labels[0]].group.startswith("discrete") and len(kinds) > 1:
            rows = tuple(run.row(label, run.sources[label].regularizer) for label in labels)
            sections.append(PaperSection(system, rows))
    heads = (PaperColumn("Regularizer", "l"), *run.heads())
    return PaperTable(
        "regularizers", (f"Discrete regularizers of one architecture, {run.where}.",), heads, tuple(sections)
    )


def _training(run: _Measured) -> PaperTable:
    rows = []
    for label in run.sources:
        made = run.facts[label].training if label in run.facts else None
        if made is not None:
            minutes = f"{made.seconds / 60:,.0f}"
            rows.append(run.row(label, run.name(label), made.data, f"{made.steps:,}", minutes, f"{made.psnr:.2f}"))
    heads = (
        PaperColumn("System", "l"),
        PaperColumn("Training data", "l", is_text=True),
        PaperColumn("Steps", "r"),
        PaperColumn("Minutes", "r"),
        PaperColumn("Validation PSNR (dB)", "r"),
        *run.heads(),
    )
    caption = f"Training of the weights that toklab made, and their figures {run.where}."
    return PaperTable("training", (caption,), heads, (PaperSection("", tuple(rows)),) if rows else ())


def _models(run: _Measured) -> PaperTable:
    known = [label for label in run.sources if label in run.facts]
    groups = sorted({run.sources[label].group for label in known}, key=group_order)
    sections = tuple(
        PaperSection(
            group_title(group),
            tuple(
                run.row(label, run.name(label), *_summary(run.facts[label]))
                for label in known
                if run.sources[label].group == group
            ),
        )
        for group in groups
    )
    heads = (
        PaperColumn("System", "l"),
        PaperColumn("Causal", "l"),
        PaperColumn("Input", "l"),
        PaperColumn("Compression", "l"),
        PaperColumn("Latent", "l"),
        PaperColumn("Params (M)", "r"),
        PaperColumn("MACs (G)", "r"),
        *run.heads(),
    )
    caption = (
        "Model summary: frames, height and width of a clip; compression in time, height and width; shape of the latent "
        f"and its channels; parameters; multiply-adds to encode and decode a clip; figures {run.where}."
    )
    return PaperTable("models", (caption,), heads, sections)


def _summary(system: SystemFacts) -> Iterable[str]:
    is_codec = system.latent_channels is None
    return (
        "yes" if system.causal else "no",
        "×".join(map(str, system.input_size)) if system.input_size else NONE,
        *((NONE,) * 4 if is_codec else (system.compression, _latent(system), *_sizes(system))),
    )


def _latent(system: SystemFacts) -> str:
    if system.input_size is None:
        return NONE
    frames, height, width = system.input_size
    time, space = system.temporal_compression, system.spatial_compression
    num = 1 + -(-(frames - 1) // time) if system.causal else -(-frames // time)
    return f"{num}×{-(-height // space)}×{-(-width // space)}, {system.latent_channels}"


def _sizes(system: SystemFacts | None) -> tuple[str, str]:
    """Millions of parameters and thousands of millions of multiply-adds, as printed."""
    if system is None:
        return (NONE, NONE)
    macs = None if system.macs is None else 1000 * system.macs
    return (_significant(system.params), _significant(macs))


def _significant(value: float | None) -> str:
    """At least three digits of a positive number, without exponent."""
    if not value:
        return NONE
    decimals = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{decimals}f}"
