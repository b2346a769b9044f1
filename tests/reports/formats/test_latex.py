import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from toklab.reports.formats.latex import escape_latex, render_document, render_table

HOSTILE = r"a_b & 50% #1 $x$ {y} \z ~^ <t> [1] “q” ‘r’ µ–é|`漢"


def test_text_is_ascii_and_escaped():
    escaped = escape_latex(HOSTILE)
    assert escaped.isascii()
    assert escaped.startswith(r"a\_b \& 50\% \#1 \$x\$ \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}")
    assert escape_latex("[1]") == "{[}1{]}"
    assert escape_latex("--set a-b – c---d") == r"-{}-set a-b -- c-{}-{}-d"


def test_the_table_marks_ranks_and_has_a_cell_for_each_column(table):
    text = render_table(table)
    assert text.isascii()
    assert r"\textbf{34.87}" in text
    assert r"\underline{9.21}" in text
    body = text.split(r"\midrule")[1:]
    rows = [line for part in body for line in part.splitlines() if line.endswith(r"\\") and " & " in line]
    assert rows
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(table.columns) + 2}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of any TeX distribution")
def test_the_document_compiles(table, tmp_path):
    hostile = replace(table, title=HOSTILE, caption=HOSTILE)
    (tmp_path / "report.tex").write_text(render_document(HOSTILE, render_table(hostile)), encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
