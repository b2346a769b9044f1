import re

from toklab.reports.formats.markdown import render_table


def test_the_table_has_one_cell_for_each_heading(table):
    lines = [line for line in render_table(table).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.columns) + 3}
    assert any("**34.87**" in line and "H.264" in line for line in lines)
