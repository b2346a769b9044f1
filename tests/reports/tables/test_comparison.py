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
        "high": -18.25, "windows_shared": 24, "count": 12, "num_pairs": 2, "critical_value": 2.561,
        "better": "bicubic", "verdict": "B", "table_verdict": "not separable", "detectable": math.nan, "wins": 1,
        "ties": 0, "losses": 11, "wins_low": 0.0149, "wins_high": 0.3539, "furthest": "+0.30 c.mp4; -30.00 a.mp4",
        "note": "",
    }  # fmt: skip
    fvd = psnr | {
        "metric": "fvd-i3d", "title": "FVD", "unit": "", "direction": "lower", "low": math.nan, "high": math.nan,
        "better": "", "verdict": "not separable", "table_verdict": "", "detectable": 0.346, "wins": 0, "losses": 0,
        "wins_low": math.nan, "wins_high": math.nan, "furthest": "", "note": "N = 24 < 400",
    }  # fmt: skip
    return pd.DataFrame([psnr, fvd, psnr | {"b": "h264", "better": "tiny_a", "verdict": "A"}])


def test_terminal_shows_each_pair_with_signs(compared):
    text = render_comparison(compared)
    assert text.count("A: tiny_a") == 2
    psnr, fvd = [line.split() for line in text.splitlines() if " PSNR" in line or " FVD" in line][:2]
    shown = ["29.32", "-19.37", "[-20.10,", "-18.25]", "24", "12", "1/12", "B", "(table:", "not", "separable)"]
    assert psnr[-11:] == shown
    assert fvd[-3:] == ["–", "not", "separable"]
    assert "PSNR: the interval holds for 2 pairs at once (c 2.56)" in text
    assert "PSNR: A does better in 1 of 12 videos, 95 % interval of the share [0.01, 0.35]" in text
    assert "PSNR: furthest apart: +0.30 c.mp4; -30.00 a.mp4" in text
    assert "FVD: about 0.35 would have been found" in text
    assert "FVD: N = 24 < 400" in text
    assert max(map(len, text.splitlines())) <= 120


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


def test_few_videos_are_said_and_ends_are_rounded_outwards(compared):
    frame = compared.assign(low=-20.101, high=-18.251)
    assert "[-20.11, -18.25]" in render_comparison(frame)
    few = compared.assign(low=math.nan, high=math.nan, count=1, verdict="no verdict")
    assert "PSNR: 1 video: too few for an interval" in render_comparison(few)
