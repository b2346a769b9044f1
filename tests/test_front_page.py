"""The tables and pictures of README.md and docs/ have the shape that the code gives them; no value is compared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import front_page
import pytest
from PIL import Image
from run_folders import CELL
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.planning.suite import load_suite
from toklab.reports.schema import Figure, read_figures
from toklab.tokenizers.catalog import load_cards

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
SUITE = load_suite("demo")
LARGEST_WIDTH = 100


def cells(table: str) -> list[list[str]]:
    """The cells of a Markdown table, line by line."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def shape(table: str, names: int = 2) -> list[list[str]]:
    """Heading and rule of a table, and of each row the first cells and how many there are."""
    lines = cells(table)
    return [*lines[:2], *([*line[:names], str(len(line))] for line in lines[2:])]


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    """The figures of the demo before anything was measured: every one is unavailable."""
    cards = load_cards()
    cells = []
    for name in SUITE.tokenizers:
        spec = cards[name].spec
        facts = {
            "title": spec.title,
            "comparison_group": spec.comparison_group,
            "regularizer_label": spec.regularizer_label,
            "regularizer": spec.regularizer,
        }
        cell = replace(CELL, cell_id=name, tokenizer=name, label=name, settings={}, spec=facts, metrics=SUITE.metrics)
        cells.append(CellResults(cell, [], {}, {}, dataset="sample"))
    return read_figures(results_table(cells))


def test_the_readmes_table_has_the_columns_and_rows_of_the_demos_table(figures: list[Figure]) -> None:
    printed = front_page.marked(README, "six systems")
    assert shape(front_page.short_table(figures)) == shape(printed)
    assert len(cells(printed)) == 2 + len(front_page.SHOWN) == 8
    assert max(map(len, printed.splitlines())) <= LARGEST_WIDTH


def test_the_table_of_results_has_the_columns_and_rows_of_the_demos_table(figures: list[Figure]) -> None:
    printed = front_page.marked(RESULTS, "the demo")
    assert shape(front_page.full_table(figures)) == shape(printed)
    assert sum(not line[0].startswith("*") for line in cells(printed)[2:]) == len(SUITE.tokenizers)


def test_what_is_shown_is_part_of_the_demo() -> None:
    assert set(front_page.SHOWN) <= set(SUITE.tokenizers)
    assert set(front_page.SHOWN_METRICS) <= set(front_page.ALL_METRICS) <= set(SUITE.metrics)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (front_page.PAGE_PICTURE, front_page.VIEWPORT),
        (front_page.VIEWER_PICTURE, front_page.VIEWER_VIEWPORT),
        (front_page.RADAR_PICTURE, None),
    ],
)
def test_a_picture_is_small_and_has_the_size_of_its_window(name: str, size: tuple[int, int] | None) -> None:
    path = front_page.IMAGES / name
    with Image.open(path) as picture:
        assert size is None or picture.size == size
    assert path.stat().st_size <= front_page.LARGEST_PICTURE


def test_every_picture_is_shown_and_every_one_that_is_shown_is_made() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]
    shown = {Path(target).name for path in documents for target in re.findall(r"!\[.*?\]\((.+?)\)", path.read_text())}
    made = {front_page.PAGE_PICTURE, front_page.VIEWER_PICTURE, front_page.RADAR_PICTURE}
    assert shown == made == {path.name for path in front_page.IMAGES.iterdir()}


def test_the_comparison_in_the_readme_is_that_of_the_docs() -> None:
    def comparison(text: str) -> Sequence[str]:
        start = text.index("| | toklab |")
        return text[start:].split("\n\n", 1)[0].splitlines()

    assert comparison(README) == comparison((ROOT / "docs" / "comparison.md").read_text(encoding="utf-8"))


def test_a_table_is_put_between_its_marks() -> None:
    text = "before\n\n<!-- one: made by docs/tools/front_page.py -->\n\nold\n\n<!-- end -->\n\nafter <!-- end -->\n"
    changed = front_page.replace_marked(text, "one", r"new \1")
    assert front_page.marked(changed, "one") == r"new \1"
    assert changed == text.replace("old", r"new \1")
    with pytest.raises(ValueError, match="no place called 'two'"):
        front_page.replace_marked(text, "two", "new")
