"""Drawings as files."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from toklab.reports.charts.pictures import Chart, picture


def drawing() -> Figure:
    figure = Figure(figsize=(2, 1))
    FigureCanvasAgg(figure)
    figure.add_subplot().set_title("PSNR ↑ × λ")
    return figure


@pytest.mark.slow
def test_fonts_in_a_pdf_are_truetype() -> None:
    made = picture(drawing(), "pdf")
    assert b"/Type3" not in made
    assert b"/FontFile2" in made


@pytest.mark.slow
def test_a_chart_has_pictures_of_three_kinds_and_its_points() -> None:
    chart = Chart("one", "A chart.", drawing(), pd.DataFrame({"x": [1]}))
    files = chart.files()
    assert set(files) == {"one.png", "one.pdf", "one.svg", "one.csv"}
    assert files["one.svg"].lstrip().startswith(b"<?xml")
    assert Chart("one", "A chart.", drawing(), pd.DataFrame({"x": [1]})).files() == files
