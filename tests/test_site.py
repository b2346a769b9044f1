"""The site's settings: every document has a place in it, and nothing on it is asked for from the network.

Whether it builds without a warning is for the environment `docs` of tox to say, which continuous integration runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import toklab.bench
import toklab.bench.statistics
from toklab.tokenizers import interface

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = "cli.md"
SETTINGS = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]


def pages(nav: list[Any]) -> Iterator[str]:
    """The pages of a navigation, in their order."""
    for entry in nav:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from pages(value)


def test_every_document_has_one_place_in_the_navigation() -> None:
    documents = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("**/*.md")} | {GENERATED}
    named = list(pages(SETTINGS["nav"]))
    assert sorted(named) == sorted(documents)


def test_the_site_has_its_four_parts() -> None:
    assert [name for entry in SETTINGS["nav"] for name in entry] == [
        "Home",
        "Tutorial",
        "How-to guides",
        "Reference",
        "Explanation",
    ]


def test_pages_link_to_nothing_outside_the_site() -> None:
    links = {path: re.findall(r"\]\(([^)\s#]+)", path.read_text()) for path in DOCS.glob("**/*.md")}
    for path, targets in links.items():
        local = [(path.parent / target).resolve() for target in targets if "://" not in target]
        assert [target for target in local if not target.is_relative_to(DOCS)] == [], path.name


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("bench", set(toklab.bench.__all__) - {"__version__"}),
        ("tokenizers", set(interface.__all__) - {"BitsConvention", "GENERAL_SETTINGS", "Regularizer"}),
        ("statistics", set(toklab.bench.statistics.__all__)),
    ],
)
def test_what_a_package_exports_is_on_its_page(page: str, names: set[str]) -> None:
    text = (DOCS / "api" / f"{page}.md").read_text()
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


def test_the_site_needs_no_network_and_opens_from_disk() -> None:
    assert SETTINGS["theme"]["font"] is False
    assert set(SETTINGS["plugins"]) == {"mkdocstrings"}, "others may load scripts from elsewhere, as `offline` does"
    assert SETTINGS["use_directory_urls"] is False


def test_continuous_integration_builds_the_site_strictly() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    assert "docs" in re.split(r"[,\s]+", tox["tox"]["env_list"])
    commands = tox["testenv:docs"]["commands"]
    assert "zensical build --strict" in commands
    assert GENERATED in commands
