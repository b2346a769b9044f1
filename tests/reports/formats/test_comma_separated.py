import io

import pandas as pd
from toklab.reports.formats.comma_separated import render_figures, render_table
from toklab.reports.schema import read_figures
from toklab.reports.tables.table import build_table


def test_figures_read_back_as_the_same(figures, frame):
    # What pandas parses itself may be off by a bit.
    again = pd.read_csv(io.StringIO(render_figures(figures)), keep_default_na=False, dtype=str)
    for name, kind in frame.select_dtypes("number").dtypes.items():
        again[name] = again[name].map(lambda text: float(text or "nan")).astype(kind)
    assert repr(read_figures(again)) == repr(figures)


def test_rows_hold_full_precision_under_each_figures_own_protocol(figure):
    rows = [figure(value=1 / 3, protocol_hash="aa"), figure(value=2 / 3, protocol_hash="bb")]
    table = build_table(rows, across_protocols=True)
    wide = pd.read_csv(io.StringIO(render_table(table)))
    assert wide["sample/vidtok/aa/psnr"].dropna().tolist() == [1 / 3]
    assert wide["sample/vidtok/bb/psnr"].dropna().tolist() == [2 / 3]
