import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from toklab.reports.formats.terminal import PROSE_WIDTH, WIDE, render_table, terminal_table
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


def shown(figures, width):
    file = io.StringIO()
    Console(file=file, width=width).print(terminal_table(figures, width))
    return file.getvalue()


def test_intervals_stand_where_the_width_allows(figure):
    """Behind every figure of a wide terminal; not where the table would have to be split for them."""
    measured = [
        figure(metric=metric, tokenizer=name, value=0.5, low=0.25, high=0.75)
        for metric in ("psnr", "ssim", "flicker", "lpips-vgg")
        for name in ("a", "b")
    ]
    narrow, wide = shown(measured, 80), shown(measured, 160)
    assert "[0.25" not in narrow
    assert "95 % interval" not in narrow
    assert wide.count("[0.2500, 0.7500]") == 6
    assert wide.count("[0.25, 0.75]") == 2
    assert "Behind a figure: the ends of its 95 % interval" in wide
    assert len([line for line in wide.splitlines() if "System" in line and "Regularizer" in line]) == 1
    # One figure leaves room for its interval anywhere.
    assert "[0.25, 0.75]" in shown(measured[:1], 80)


@pytest.mark.parametrize("width", [80, 100, 139, WIDE, 200])
def test_a_table_is_split_once_more_for_its_intervals_in_a_wide_terminal_alone(figure, width):
    metrics = ("psnr", "ssim", "flicker", "lpips-vgg", "fvd-i3d", "params")
    figures = [figure(metric=metric, value=0.5, low=0.25, high=0.75) for metric in metrics]
    text = shown(figures, width)
    parts = sum("Regularizer" in line for line in text.splitlines())
    assert parts == (1 if width == 200 else 2 if width in (80, WIDE) else 1)
    assert ("[0.25, 0.75]" in text) == (width >= WIDE)
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_without_any_interval_nothing_speaks_of_them(figure):
    assert "interval" not in shown([figure(value=0.5)], 200)


def test_below_the_table_stands_what_was_not_measured(figures):
    text = shown(figures, 100)
    assert "not measured: LPIPS, FVD; toklab weights pull lpips-vgg fvd-i3d" in text
    assert "n/a" not in text
    assert "FVD" not in text.partition("not measured")[0]


def test_sentences_are_no_wider_than_can_be_read(figures):
    lines = shown(figures, 240).splitlines()
    caption = next(index for index, line in enumerate(lines) if line.startswith("not measured"))
    assert all(cell_len(line) <= PROSE_WIDTH for line in lines[caption:])
