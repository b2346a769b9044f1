"""Cards and the published figures of their models."""

from __future__ import annotations

from importlib.resources import files

from toklab.reports.published.by_card import figures_by_card, fullest, published_rows
from toklab.reports.published.literature import read_published


def test_every_card_that_a_file_names_has_its_figures() -> None:
    names = [path.name for path in files("toklab.reports.published").iterdir() if path.name.endswith("_cards.csv")]
    named = {row["tokenizer"] for name in names for row in read_published(name)}
    assert len(names) == 5
    assert {one.tokenizer for one in figures_by_card()} - {""} == named
    assert set(published_rows()) == {row["tokenizer"] for row in read_published("other_results_cards.csv")}


def test_a_row_has_the_figures_of_one_source_as_printed() -> None:
    rows = published_rows()["vidtok_kl_causal_488_4chn"]
    assert rows[0].text == "PSNR 29.64, SSIM 0.852, LPIPS 0.114, FVD 194.2 on mcl-jcv"
    assert "Table 1" in rows[0].source
    assert len(fullest(rows).figures) == 4
