"""A small report and its PDF, read by PDFium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pypdfium2
import pytest
from figure_builder import demo_figures
from toklab.reports.formats.interface import Report
from toklab.reports.formats.typst.document import report_files
from toklab.reports.report import compose_report

Pages = list[tuple[str, tuple[float, float], list[tuple[float, float, float, float]]]]
"""Of each page its text, its width and height in points, and the boxes of what is printed: left, bottom, right, top."""


@pytest.fixture(scope="session")
def read_pages() -> Callable[[bytes], Pages]:
    """Read a PDF."""

    def page_parts(document: pypdfium2.PdfDocument) -> Iterator[tuple]:
        for page in document:
            text = page.get_textpage()
            printed = [index for index in range(text.count_chars()) if text.get_text_range(index, 1).strip()]
            boxes = [text.get_charbox(index) for index in printed]
            yield text.get_text_bounded(), page.get_size(), boxes

    return lambda content: list(page_parts(pypdfium2.PdfDocument(content)))


@pytest.fixture(scope="session")
def without_radar() -> Report:
    """The demo run with two metrics, too few for a radar chart: nothing has to be drawn."""
    figures = [figure for figure in demo_figures() if figure.metric in ("psnr", "ssim")]
    return compose_report(figures, "Demo", {"versions": {"a": 1}})


@pytest.fixture(scope="session")
def pdf(without_radar: Report) -> bytes:
    """The PDF of that report."""
    return report_files(without_radar)["report.pdf"]


@pytest.fixture(scope="session")
def pages(pdf: bytes, read_pages: Callable[[bytes], Pages]) -> Pages:
    return read_pages(pdf)
