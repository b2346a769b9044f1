"""The PDF says what the report says, on its pages, in the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from toklab.reports.charts.pictures import Chart
from toklab.reports.formats.interface import Report
from toklab.reports.formats.typst.compiler import compile_pdf
from toklab.reports.formats.typst.document import document_data, report_files
from toklab.reports.paper.compose import paper_content
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure, TableError

MARGIN = 21 / 25.4 * 72
"""Points; punctuation may hang into it a little."""
HANGS = 3.0

Boxes = list[tuple[float, float, float, float]]
Pages = list[tuple[str, tuple[float, float], Boxes]]
ReadPages = Callable[[bytes], Pages]


def words(pages: Pages) -> str:
    return " ".join(" ".join(text.split()) for text, _, _ in pages)


def assert_inside_the_margins(pages: Pages) -> None:
    for number, (_, (width, height), printed) in enumerate(pages, 1):
        assert min(box[0] for box in printed) >= MARGIN - HANGS, number
        assert max(box[2] for box in printed) <= width - MARGIN + HANGS, number
        assert min(box[1] for box in printed) > 0, number
        assert max(box[3] for box in printed) < height, number


def test_the_cover_has_the_finding_in_numbers(pages: Pages) -> None:
    cover = words(pages[:1])
    for shown in ("Demo", "6 tokenizers", "Best PSNR of each kind", "34.87 dB", "[34.37, 35.37]", "H.264 (x264 slow)"):
        assert shown in cover


def test_tables_methods_references_and_appendix_follow(pages: Pages) -> None:
    text = words(pages)
    order = ["1 Findings", "2 Results", "Table 1", "3 Figures", "No radar charts", "4 Methods", "A Systems"]
    places = [text.index(shown) for shown in order]
    assert places == sorted(places)
    for shown in ("PSNR ↑", "0.9310", "[0.9270, 0.9350]", "VidTok tiny", "FSQ - 262,144"):
        assert shown in text


def test_text_stays_inside_the_margins(pages: Pages) -> None:
    assert_inside_the_margins(pages)


def test_the_same_report_gives_the_same_bytes(without_radar: Report, pdf: bytes) -> None:
    assert pdf.startswith(b"%PDF-")
    assert report_files(without_radar) == {"report.pdf": pdf}


def test_fonts_are_embedded_and_never_type_3(pdf: bytes) -> None:
    assert b"/Type3" not in pdf
    assert b"LibertinusSerif" in pdf


def measured_on(figures: list[Figure], num_datasets: int) -> Report:
    """PSNR of two systems on so many datasets, each of them a column."""
    quality = [each for each in figures if each.metric == "psnr" and each.group == "discrete"]
    return compose_report([replace(f, dataset=f"set {n}") for n in range(num_datasets) for f in quality], "Wide", {})


@pytest.mark.slow
def test_a_table_too_wide_for_the_page_is_turned(figures: list[Figure], read_pages: ReadPages) -> None:
    pages = read_pages(report_files(measured_on(figures, 9))["report.pdf"])
    assert_inside_the_margins(pages)
    turned = words([page for page in pages if page[1][0] > page[1][1]])
    assert turned.startswith("Wide Results 2 Results Table 1")
    assert all(f"set {number}" in turned for number in range(9))


@pytest.mark.slow
def test_a_table_too_wide_for_a_turned_page_is_split(figures: list[Figure], read_pages: ReadPages) -> None:
    pages = read_pages(report_files(measured_on(figures, 16))["report.pdf"])
    assert_inside_the_margins(pages)
    assert all(width < height for _, (width, height), _ in pages)
    text = words(pages).partition("2 Results")[2].partition("3 Methods")[0]
    assert all(f"set {number}" in text for number in range(16))
    # Each part names its systems again.
    assert text.count("H.264 (x264 slow)") == text.count("System PSNR ↑") >= 2


@pytest.mark.slow
def test_figures_are_printed_with_their_captions(without_radar: Report, read_pages: ReadPages) -> None:
    drawing = Drawing((3.3, 2.0))
    FigureCanvasAgg(drawing)
    drawing.add_subplot().plot([1, 2, 3])
    charts = tuple(
        Chart(name, f"What chart {name} shows.", drawing, pd.DataFrame({"x": [1]})) for name in ("one", "two", "three")
    )
    attachments = {**without_radar.attachments, **{name: part for c in charts for name, part in c.files().items()}}
    report = replace(without_radar, charts=charts, attachments=attachments)
    pages = read_pages(report_files(report)["report.pdf"])
    text = words(pages)
    for number, name in enumerate(("one", "two", "three"), 1):
        assert f"Figure {number} What chart {name} shows." in text
    assert "Figure 1 What chart one shows." in words(pages[:1])
    assert_inside_the_margins(pages)


def test_failures_have_their_reasons(without_radar: Report, read_pages: ReadPages) -> None:
    failed = pd.DataFrame([{"label": "model", "window": 3, "reason": "out of memory"}])
    report = compose_report(without_radar.figures, "Demo", {}, accounting=failed, failures=failed)
    text = words(read_pages(report_files(report)["report.pdf"]))
    assert "out of memory" in text


def test_what_typst_cannot_set_is_one_clear_error(without_radar: Report) -> None:
    data = document_data(without_radar, paper_content(without_radar), {})
    with pytest.raises(TableError, match=r"^report\.pdf could not be set: typst says: .*title"):
        compile_pdf({name: value for name, value in data.items() if name != "title"}, {})


def test_a_broken_picture_is_one_clear_error(without_radar: Report) -> None:
    data = document_data(without_radar, paper_content(without_radar), {})
    cover = {**data["cover"], "figure": {"file": "a.svg", "caption": [], "alt": "", "label": "figure-a"}}
    with pytest.raises(TableError, match=r"^report\.pdf could not be set: typst says: "):
        compile_pdf({**data, "cover": cover}, {"a.svg": b"<svg"})
