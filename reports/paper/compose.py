"""A paper's parts from a report's."""

# ruff: noqa: D102 - what the properties are, Report says

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..charts.pictures import INCHES, Chart
from ..charts.radar import CAPTION, RadarChart
from ..identity import Identities
from ..schema import Figure
from ..tables.named import NamedTable
from ..tables.plain import PlainTable
from ..tables.table import ResultsTable
from .bibliography import Bibliography
from .content import AppendixPart, PaperContent, PaperFigure, PaperTable
from .facts import RunFacts
from .findings import find_leaders, summarize
from .layout import PaperLayout
from .methods import methods_paragraphs
from .summaries import summary_tables
from .tables import main_table, named_table, plain_table, without_constant_columns

RATE_DELTAS = "bd_rate"
"""What the names of tables of Bjøntegaard deltas begin with."""


class ReportParts(Protocol):
    """What of :class:`~..formats.interface.Report` a paper is made from."""

    @property
    def title(self) -> str: ...
    @property
    def figures(self) -> tuple[Figure, ...]: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def table(self) -> ResultsTable: ...
    @property
    def radar(self) -> RadarChart | None: ...
    @property
    def radar_missing(self) -> str: ...
    @property
    def charts(self) -> tuple[Chart, ...]: ...
    @property
    def tables(self) -> tuple[NamedTable, ...]: ...
    @property
    def provenance(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def accounting(self) -> PlainTable: ...
    @property
    def failures(self) -> PlainTable: ...
    @property
    def facts(self) -> RunFacts: ...
    @property
    def layout(self) -> PaperLayout: ...


def paper_content(report: ReportParts) -> PaperContent:
    """Compose a paper from a report, with the columns that its layout chooses.

    Raises:
        TableError: if a chosen column isn't among the report's metrics.
    """
    report.layout.check([figure.metric for figure in report.figures])
    bibliography = Bibliography()
    findings = find_leaders(report.figures, report.identities, report.layout.columns)
    methods = methods_paragraphs(
        report.figures,
        dict(report.provenance),
        report.facts,
        bibliography,
        has_rate_deltas=any(table.name.startswith(RATE_DELTAS) for table in report.tables),
    )
    main = main_table(report.table, report.layout.columns, bibliography)
    tables = summary_tables(report.figures, report.facts, report.identities)
    missing = (f"No radar charts: {report.radar_missing}.",) if report.radar_missing else ()
    return PaperContent(
        title=report.title,
        findings=findings,
        summary=summarize(findings),
        methods=methods,
        main=main,
        tables=(*tables, *map(named_table, report.tables)),
        figures=tuple(_figures(report)),
        figures_missing=missing,
        appendix=tuple(_appendix(report, bibliography)),
        references=bibliography.listed(),
    )


def _figures(report: ReportParts) -> list[PaperFigure]:
    radar = [PaperFigure("radar", (CAPTION,), is_wide=True)] if report.radar else []
    narrowest_wide = sum(INCHES.values()) / 2
    return radar + [
        PaperFigure(
            chart.name,
            (chart.caption,),
            is_wide=chart.width == "page" or chart.drawing.get_figwidth() > narrowest_wide,
            inches=chart.drawing.get_figwidth(),
            data=f"{chart.name}.csv",
            table=None if chart.table is None else plain_table(chart.name, (), chart.table),
        )
        for chart in report.charts
    ]


def _appendix(report: ReportParts, bibliography: Bibliography) -> list[AppendixPart]:
    weights = {name.removeprefix("weights."): value for name, value in report.provenance if name.startswith("weights.")}
    facts = [(name, value) for name, value in report.provenance if not name.startswith("weights.")]
    ends = main_table(report.table, report.layout.columns, bibliography, name="intervals", intervals="ends")
    parts = [
        AppendixPart("Intervals", table=ends) if _has_intervals(ends) else None,
        AppendixPart("Systems", table=_systems(report.figures, report.identities, weights)),
        AppendixPart("Provenance", facts=tuple(facts)) if facts else None,
        _counts("Accounting", "accounting", report.accounting, "What was planned, and what became of it."),
        _counts("Failures", "failures", report.failures, "Windows that failed, with their reasons.")
        or AppendixPart("Failures", text=("No window failed.",)),
        AppendixPart("Remarks", text=(" ".join(f"{remark.rstrip('.')}." for remark in report.facts.remarks),))
        if report.facts.remarks
        else None,
    ]
    return [part for part in parts if part is not None]


def _has_intervals(table: PaperTable) -> bool:
    return any(cell.interval for section in table.sections for row in section.rows for cell in row)


def _counts(title: str, name: str, table: PlainTable, caption: str) -> AppendixPart | None:
    if not table.rows:
        return None
    return AppendixPart(title, table=without_constant_columns(plain_table(name, (caption,), table)))


def _systems(figures: Sequence[Figure], identities: Identities, weights: dict[str, str]) -> PaperTable:
    sources = {figure.label: figure for figure in reversed(figures) if figure.origin == "measured"}
    rows = [
        (identities[label].short, label, weights.get(sources[label].tokenizer, sources[label].weights))
        for label in identities
        if label in sources
    ]
    table = PlainTable(("System", "Label", "Weights"), rows)
    return plain_table("systems", ("Names in this paper, labels in the run, and the weights' identity.",), table)
