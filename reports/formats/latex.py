r"""LaTeX: a folder that compiles as it is, by running ``pdflatex main`` twice.

``latex/main.tex`` with ``main.bbl`` and ``references.bib``, ``latex/figures/`` with the charts, ``latex/data/`` with
their points for pgfplots. Equal reports are equal bytes, and so is what two compilations make of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..paper.compose import paper_content
from ..paper.content import AppendixPart, PaperContent, PaperFigure, Paragraph
from ..paper.venues import INCH, VENUES, Venue
from .interface import Report
from .tex.data import pgfplots_data
from .tex.document import document
from .tex.literature import bibtex, reference_list
from .tex.tables import float_table, is_wide, long_table, plain_tabular
from .tex.text import breakable_latex, label, prose_latex

FOLDER = "latex"
"""Of the paper, inside the report's."""

HIGHEST = 0.78
"""Share of the text's height that a figure takes at most."""


def report_files(report: Report) -> Mapping[str, str | bytes]:
    """The paper's files by their paths.

    Raises:
        TableError: if a column that the report's layout chooses isn't there.
    """
    content = paper_content(report)
    files: dict[str, str | bytes] = {
        "main.tex": render_paper(content, VENUES[report.layout.venue]),
        "main.bbl": reference_list(content.references),
        "references.bib": bibtex(content.references),
    }
    for figure in content.figures:
        files[f"figures/{figure.name}.pdf"] = report.attachments[f"{figure.name}.pdf"]
    for chart in report.charts:
        files[f"data/{chart.name}.dat"] = pgfplots_data(chart.points, report.identities)
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def render_paper(content: PaperContent, venue: Venue) -> str:
    """The paper as one document at a venue's measures."""
    parts = [
        float_table(content.main, venue),
        r"\section{Findings}",
        _findings(content),
        r"\section{Methods}",
        *map(_paragraph, content.methods),
        r"\section{Results}",
        _overview(content),
        *(_figure(figure, venue) for figure in content.figures),
        *(float_table(table, venue) for table in content.tables),
        r"\bibliographystyle{unsrt}",
        r"{\small\bibliography{references}}",
        r"\clearpage\onecolumn\appendix",
        *(_appendix(part, venue) for part in content.appendix),
    ]
    return document(content.title, "\n".join(parts), venue)


def _findings(content: PaperContent) -> str:
    if not content.summary:
        return "There is no figure by which systems are ranked."
    items = [rf"\item {prose_latex(prose)}" for prose in content.summary]
    return "\n".join([r"\begin{itemize}\setlength{\itemsep}{0pt}", *items, r"\end{itemize}"])


def _paragraph(paragraph: Paragraph) -> str:
    return rf"\paragraph{{{breakable_latex(paragraph.title)}.}} {prose_latex(paragraph.text)}"


def _overview(content: PaperContent) -> str:
    """A sentence that names every table and figure, so that none floats without being referred to."""
    tables = [label("Table", table.name) for table in (content.main, *content.tables)]
    figures = [label("Figure", figure.name) for figure in content.figures]
    sentences = [f"All figures are in {_refs('Table', tables[:1])}"]
    sentences[0] += f", further ones in {_refs('Table', tables[1:])}." if tables[1:] else "."
    sentences += [f"The charts are {_refs('Figure', figures)}."] if figures else []
    return " ".join([*sentences, *map(breakable_latex, content.figures_missing)])


def _refs(kind: str, labels: Sequence[str]) -> str:
    """Labels of one kind in the order of the document, whose numbers follow each other."""
    first, last = (rf"\ref{{{labels[end]}}}" for end in (0, -1))
    if len(labels) == 1:
        return f"{kind}~{first}"
    return f"{kind}s~{first} {'and' if len(labels) == 2 else 'to'}~{last}"


def _figure(figure: PaperFigure, venue: Venue) -> str:
    table = None if figure.table is None else plain_tabular(figure.table, venue)
    wide = venue.num_columns > 1 and (figure.is_wide or (figure.table is not None and is_wide(figure.table, venue)))
    name = "figure*" if wide else "figure"
    room = venue.text_width if wide else venue.column_width
    # A chart is printed as large as it was drawn, so that its text has the size it was set at.
    width = min(room, figure.inches * INCH or room)
    options = rf"width={width:.1f}pt,height={HIGHEST}\textheight,keepaspectratio"
    return "\n".join(
        [
            rf"\begin{{{name}}}[tp]",
            rf"\centering\includegraphics[{options}]{{{figure.name}.pdf}}",
            rf"\caption{{{prose_latex(figure.caption)}}}\label{{{label('Figure', figure.name)}}}",
            *([] if table is None else [r"\par\medskip", table]),
            rf"\end{{{name}}}",
        ]
    )


def _appendix(part: AppendixPart, venue: Venue) -> str:
    lines = [rf"\section{{{breakable_latex(part.title)}}}"]
    if part.text:
        lines.append(prose_latex(part.text))
    if part.facts:
        lines.append(_facts(part.facts, venue))
    if part.table is not None:
        lines.append(long_table(part.table, venue))
    return "\n".join(lines)


def _facts(facts: Sequence[tuple[str, str]], venue: Venue) -> str:
    left, right = 0.3 * venue.text_width, 0.68 * venue.text_width
    column = r">{\raggedright\arraybackslash}p"
    rows = [rf"{breakable_latex(name)} & {breakable_latex(value)} \\" for name, value in facts]
    return "\n".join(
        [
            r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\begin{{longtable}}{{@{{}}{column}{{{left:.1f}pt}}{column}{{{right:.1f}pt}}@{{}}}}",
            *rows,
            r"\end{longtable}",
            # Every longtable counts as a table.
            r"\addtocounter{table}{-1}\endgroup",
        ]
    )
