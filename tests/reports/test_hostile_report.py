"""Reports of figures whose names were made to break them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from toklab.reports.formats.terminal import render_table
from toklab.reports.report import compose_report, write_report
from toklab.reports.schema import Figure
from toklab.reports.tables.table import build_table
from toklab.reports.text import UNPRINTABLE

TITLE = "[ours] [/b] =1+1 $\\frac{$ | <b> \x1b[2J\u202e\udce9\nnext #&~"
SEEN = "[ours] [/b] =1+1"


@pytest.fixture
def hostile(figure: Callable[..., Figure]) -> list[Figure]:
    return [
        figure(
            metric=metric, tokenizer="a", system=TITLE, label=f"a {TITLE}", note=TITLE, dataset=TITLE, protocol=TITLE
        )
        for metric in ("psnr", "ssim", "flicker")
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_every_file_is_printable_and_nothing_vanishes(hostile: list[Figure], tmp_path: Path) -> None:
    label = TITLE.replace("\udce9", "")  # pandas itself refuses what no encoding can write
    frame = pd.DataFrame([{"label": label, "reason": f"={label}", "@x": 1}])
    report = compose_report(
        hostile, TITLE, {TITLE: {"command": TITLE}}, accounting=frame, failures=frame, remarks=[TITLE]
    )
    written = {path.name: path for path in write_report(report, tmp_path, ("md", "csv", "latex", "pdf"))}
    read = (".md", ".csv", ".tex", ".bbl", ".bib", ".json", ".svg")
    texts = {name: path.read_text(encoding="utf-8") for name, path in written.items() if path.suffix in read}
    for name, text in texts.items():
        assert not UNPRINTABLE.search(text), name
    assert r"\[ours\] \[/b\] =1+1" in texts["report.md"]
    assert "{[}ours{]} {[}/b{]} =1+1" in texts["main.tex"]
    assert r"\x1b[2J" in texts["table.csv"]
    for name in ("table.csv", "table_wide.csv"):
        for row in csv.reader(io.StringIO(texts[name])):
            assert not [cell for cell in row if cell.startswith(("=", "@", "+"))]


def test_the_terminal_shows_brackets_and_obeys_nothing(hostile: list[Figure]) -> None:
    text = io.StringIO()
    console = Console(file=text, width=400, force_terminal=False)
    console.print(render_table(build_table(hostile, title=TITLE), 400))
    shown = text.getvalue()
    assert "[ours]" in shown
    assert "[/b]" in shown
    assert not UNPRINTABLE.search(shown)


def test_figures_hold_printable_text_alone(hostile: list[Figure]) -> None:
    assert hostile[0].system.startswith(SEEN)
    assert not UNPRINTABLE.search("".join(value for value in vars(hostile[0]).values() if isinstance(value, str)))
