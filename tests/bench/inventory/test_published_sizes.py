"""The paper's tables of parameters and multiply-adds: printed figures, official counts, and where they differ."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import pytest
from toklab.bench.inventory.published_sizes import published_size_table


def read_rows(lines: Iterable[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def table5() -> list[dict[str, str]]:
    # Parameters don't depend on the size of the clip, and a small one is counted sooner.
    return read_rows(published_size_table(5, (), "csv", None, 64, 64).splitlines())


@pytest.mark.slow
def test_three_rows_of_table_5_are_rounded_otherwise(table5: list[dict[str, str]]) -> None:
    printed = read_rows(files("toklab.reports.published").joinpath("vidtok_table5.csv").read_text().splitlines())
    assert [row["params_published"] for row in table5] == [row["params_m"] for row in printed]
    marked = {row["tokenizer"]: row["params_total"] for row in table5 if row["params_rounds_differently"] == "yes"}
    assert marked == {
        "vidtok_kl_noncausal_488_4chn": "157451663",
        "vidtok_kl_causal_488_8chn": "157617559",
        "vidtok_kl_causal_488_16chn": "157949351",
    }


@pytest.mark.slow
@pytest.mark.goldens
def test_parameters_of_table_5_are_the_official_counts(shared: Path, table5: list[dict[str, str]]) -> None:
    with (shared / "specs/vidtok_params_macs.csv").open() as file:
        official = {row["config"]: row for row in read_rows(file)}
    for row in table5:
        counts = official[row["tokenizer"]]
        for part in ("total", "encoder", "decoder"):
            assert row[f"params_{part}"] == counts[f"params_{part}"]
        assert row["params_published"] == counts["paper_params_M"]


@pytest.mark.slow
def test_multiply_adds_are_compared_at_the_size_of_the_paper_alone() -> None:
    rows = read_rows(published_size_table(2, (), "csv", None, 256, 256).splitlines())
    assert [row["macs_published"] for row in rows] == ["16.98", "7.17", "10.18", "10.35"]
    assert {row["macs_rounds_differently"] for row in rows} == {"no"}
    assert rows[-1]["macs_total"] == "10345345187840"
    assert rows[-1]["macs_difference_percent"] == "-0.04"
    small = read_rows(published_size_table(2, (), "csv", None, 64, 64).splitlines())
    assert {row["macs_published"] for row in small} == {""}
    assert [row["params_published"] for row in small] == ["245", "142", "126", "157"]


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["terminal", "markdown"])
def test_rows_that_differ_are_marked_and_explained(format_: str) -> None:
    text = published_size_table(2, (), format_, None, 64, 64)
    assert text.count("245†") == 1
    assert "† fully 3D: 245.98 M rounds to 246, the paper prints 245." in text
    assert text.count("†") == 2


@pytest.mark.slow
def test_rows_of_table_1_tell_the_unit_that_the_paper_used() -> None:
    lines = published_size_table(1, (), "terminal", None, 64, 64).splitlines()
    notes = [line for line in lines if line.startswith("†")]
    in_mebi = [note.split(",")[0] for note in notes if "2^20" in note]
    assert in_mebi == ["† OmniTokenizer", "† CogVideoX"]
    assert "† OmniTokenizer, VQ - 8,192: 53.71 M is 51.2 × 2^20, and the paper prints 51, in that unit." in notes
    assert not any("MAGVIT-v2" in line for line in lines)
