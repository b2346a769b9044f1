"""A small report and its PDF, read by PDFium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pypdfium2
import pytest
from toklab.reports.formats.interface import Report
from toklab.reports.formats.typst.document import report_files
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure

Pages = list[tuple[str, tuple[float, float], list[tuple[float, float, float, float]]]]
"""Of each page its text, its width and height in points, and the boxes of what is printed: left, bottom, right, top."""


@pytest.fixture
def read_pages() -> Callable[[bytes], Pages]:
    """Read a PDF."""

    def page_parts(document: pypdfium2.PdfDocument) -> Iterator[tuple]:
        for page in document:
            text = page.get_textpage()
            printed = [index for index in range(text.count_chars()) if text.get_text_range(index, 1).strip()]
            boxes = [text.get_charbox(index) for index in printed]
            yield text.get_text_bounded(), page.get_size(), boxes

    return lambda content: list(page_parts(pypdfium2.PdfDocument(content)))


@pytest.fixture
def without_radar(figures: list[Figure]) -> Report:
    """The demo run with two metrics, too few for a radar chart: nothing has to be drawn."""
    return compose_report([each for each in figures if each.metric in ("psnr", "ssim")], "Demo", {"versions": {"a": 1}})


@pytest.fixture
def pages(without_radar: Report, read_pages: Callable[[bytes], Pages]) -> Pages:
    return read_pages(report_files(without_radar)["report.pdf"])
