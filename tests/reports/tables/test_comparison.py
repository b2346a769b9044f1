import io
import math

import pandas as pd
import pytest
from toklab.reports.schema import TableError
from toklab.reports.tables.comparison import render_comparison


@pytest.fixture
def compared():
    psnr = {
        "dataset": "sample", "metric": "psnr", "title": "PSNR", "unit": "dB", "direction": "higher", "decimals": 2,
        "a": "tiny_a", "b": "bicubic", "value_a": 9.95, "value_b": 29.32, "difference": -19.37, "low": -20.1,
        "high": -18.25, "windows_shared": 24, "count": 12, "better": "bicubic", "note": "",
    }  # fmt: skip
    fvd = psnr | {
        "metric": "fvd-i3d", "title": "FVD", "unit": "", "direction": "lower", "low": math.nan, "high": math.nan,
        "better": "", "note": "N = 24 < 400",
    }  # fmt: skip
    return pd.DataFrame([psnr, fvd, psnr | {"b": "h264", "better": "tiny_a"}])


def test_terminal_shows_each_pair_with_signs(compared):
    text = render_comparison(compared)
    assert text.count("A: tiny_a") == 2
    psnr, fvd = [line.split() for line in text.splitlines() if " PSNR" in line or " FVD" in line][:2]
    assert psnr[-7:] == ["29.32", "-19.37", "[-20.10,", "-18.25]", "24", "12", "B"]
    assert fvd[-2:] == ["not", "clear"]
    assert "FVD: N = 24 < 400" in text
    assert max(map(len, text.splitlines())) <= 100


def test_markdown_escapes_names(compared):
    text = render_comparison(compared, "markdown")
    assert r"A: tiny\_a" in text
    assert "| sample | PSNR (dB) ↑ | 9.95 | 29.32 | -19.37 |" in text


def test_csv_keeps_full_precision(compared):
    again = pd.read_csv(io.StringIO(render_comparison(compared, "csv")))
    for name in ("value_a", "low", "high"):
        assert again[name].tolist() == pytest.approx(compared[name].tolist(), rel=0, abs=0, nan_ok=True)
    assert again["a"].tolist() == ["tiny_a"] * 3


def test_bad_input_is_refused(compared):
    with pytest.raises(TableError, match="unknown format 'html'"):
        render_comparison(compared, "html")
    with pytest.raises(TableError, match="lacks the columns low, note"):
        render_comparison(compared.drop(columns=["low", "note"]))
