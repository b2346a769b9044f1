import io
import re
import shutil
import subprocess
from dataclasses import replace

import pandas as pd
import pytest
from rich.cells import cell_len
from toklab.reports.published.literature import vidtok_table1, with_published
from toklab.reports.schema import read_figures, results_frame
from toklab.reports.tables.comma_separated import render_csv_long, render_csv_wide
from toklab.reports.tables.latex import escape_latex, latex_document, render_latex
from toklab.reports.tables.markdown import escape_markdown, render_markdown
from toklab.reports.tables.table import build_table
from toklab.reports.tables.terminal import render_terminal

HOSTILE = r"a_b & 50% #1 $x$ {y} \z ~^ <t> [1] “q” ‘r’ µ–é|`漢"


@pytest.fixture
def table(frame):
    measured = results_frame(replace(f, dataset=f.dataset and "mcl-jcv") for f in read_figures(frame))
    return build_table(with_published(measured, vidtok_table1({"vidtok": "0123456789ab"})), title="Results")


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_terminal_lines_fit_and_no_figure_is_cut(table, width):
    text = render_terminal(table, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for row in (row for section in table.sections for row in section.rows):
        for cell in row.cells:
            assert cell.text in text


def test_terminal_keeps_a_dataset_together_where_it_fits(figure):
    metrics = ("psnr", "ssim", "lpips-vgg", "fvd-i3d")
    table = build_table(
        results_frame(figure(dataset=d, metric=m, value=1.0) for d in ("first", "second") for m in metrics)
    )
    heads = [line for line in render_terminal(table, 80).splitlines() if "first" in line or "second" in line]
    assert [head.split() for head in heads] == [["first"] * 4, ["second"] * 4]


def test_terminal_sets_ranks_by_style(figure):
    table = build_table(results_frame(figure(tokenizer=str(v), value=v) for v in (1.0, 2.0)))
    text = render_terminal(table, 100, styled=True)
    assert re.search(r"\x1b\[1m2\.00\x1b\[0m", text)
    assert re.search(r"\x1b\[4m1\.00\x1b\[0m", text)
    assert "\x1b" not in render_terminal(table, 100)


def test_markdown_has_one_cell_for_each_heading(table):
    lines = [line for line in render_markdown(table).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.columns) + 3}
    assert any("**34.87**" in line and "H.264" in line for line in lines)


def test_markdown_escapes_what_would_be_markup():
    assert escape_markdown("a|b_c*d\n<e>") == r"a\|b\_c\*d \<e\>"


def test_long_csv_reads_back_as_the_same_table(frame):
    again = pd.read_csv(io.StringIO(render_csv_long(frame)), keep_default_na=False, na_values={})
    numbers = frame.select_dtypes("number").columns
    again[numbers] = again[numbers].apply(pd.to_numeric, errors="coerce")
    assert repr(read_figures(again)) == repr(read_figures(frame))


def test_wide_csv_holds_full_precision_under_each_figures_own_protocol(figure):
    rows = [figure(value=1 / 3, protocol_hash="aa"), figure(value=2 / 3, protocol_hash="bb")]
    table = build_table(results_frame(rows), across_protocols=True)
    wide = pd.read_csv(io.StringIO(render_csv_wide(table)))
    assert wide["sample/vidtok/aa/psnr"].dropna().tolist() == [1 / 3]
    assert wide["sample/vidtok/bb/psnr"].dropna().tolist() == [2 / 3]


def test_latex_is_ascii_and_escaped():
    escaped = escape_latex(HOSTILE)
    assert escaped.isascii()
    assert escaped.startswith(r"a\_b \& 50\% \#1 \$x\$ \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}")
    assert escape_latex("[1]") == "{[}1{]}"


def test_latex_marks_ranks_and_has_a_cell_for_each_column(table):
    text = render_latex(table)
    assert text.isascii()
    assert r"\textbf{34.87}" in text
    assert r"\underline{9.21}" in text
    body = text.split(r"\midrule")[1:]
    rows = [line for part in body for line in part.splitlines() if line.endswith(r"\\") and " & " in line]
    assert rows
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(table.columns) + 2}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of any TeX distribution")
def test_latex_compiles(table, tmp_path):
    hostile = replace(table, title=HOSTILE, caption=HOSTILE)
    (tmp_path / "report.tex").write_text(latex_document(HOSTILE, render_latex(hostile)), encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
