import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from toklab.reports.formats.terminal import render_table
from toklab.reports.tables.table import build_table


def printed(table, width=100, *, styled=False):
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=styled, color_system="standard" if styled else None)
    console.print(render_table(table, width))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_lines_fit_and_no_figure_is_cut(table, width):
    text = printed(table, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for row in (row for section in table.sections for row in section.rows):
        for cell in row.cells:
            assert cell.text in text


def test_keeps_a_dataset_together_where_it_fits(figure):
    metrics = ("psnr", "ssim", "lpips-vgg", "fvd-i3d")
    table = build_table([figure(dataset=d, metric=m, value=1.0) for d in ("first", "second") for m in metrics])
    heads = [line for line in printed(table, 80).splitlines() if "first" in line or "second" in line]
    assert [head.split() for head in heads] == [["first"] * 4, ["second"] * 4]


def test_sets_ranks_by_style(figure):
    table = build_table(
        [figure(tokenizer=r, value=v, rank=r, rank_low=1, rank_high=2) for v, r in ((1.0, "second"), (2.0, "best"))]
    )
    text = printed(table, 100, styled=True)
    assert re.search(r"\x1b\[1m2\.00\x1b\[0m", text)
    assert re.search(r"\x1b\[4m1\.00\x1b\[0m", text)
    assert "\x1b" not in printed(table, 100)
