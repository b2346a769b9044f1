"""Whatever toklab ships has its literature, and what it doesn't know is cited as it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from toklab.bench.metrics import METRICS
from toklab.datasets.catalog import DATASETS
from toklab.reports.paper.bibliography import Bibliography, shipped_citations, shipped_references
from toklab.reports.paper.content import Cite, Reference
from toklab.reports.schema import Figure
from toklab.tokenizers.catalog import load_cards

USERS_OWN = {"folder", "images"}


def test_every_metric_dataset_and_card_has_its_literature(figure: Callable[..., Figure]) -> None:
    bibliography = Bibliography()
    assert [name for name in METRICS if bibliography.metric(name) is None] == []
    assert [name for name in DATASETS if name not in USERS_OWN and bibliography.dataset(name) is None] == []
    for name, card in load_cards().items():
        cite = bibliography.system(figure(system=card.spec.title, citation=card.spec.citation))
        assert cite is not None, name
        assert not [key for key in cite.keys if key not in shipped_references()], f"{name}: {card.spec.citation}"
    assert set(shipped_references()) - {r.key for r in bibliography.listed()} == {
        "efron1993bootstrap",
        "bjontegaard2001",
    }


def test_every_entry_says_who_and_what() -> None:
    entries = shipped_references()
    assert len(entries) > 40
    for reference in entries.values():
        assert reference.fields["author"], reference.key
        assert reference.fields["title"], reference.key
        assert "{" not in reference.text, reference.key
        assert reference.text.endswith("."), reference.key
    assert {kind for kind, _ in shipped_citations()} == {"card", "system", "metric", "dataset", "protocol", "method"}


def test_an_unknown_citation_becomes_an_entry_once(figure: Callable[..., Figure]) -> None:
    bibliography = Bibliography()
    mine = figure(citation="Doe, My Tokenizer, unpublished")
    assert bibliography.system(mine) == bibliography.system(mine) == Cite(("own1",))
    assert bibliography.system(figure(citation="Roe, Another")) == Cite(("own2",))
    assert next(reference.text for reference in bibliography.listed()) == "Doe, My Tokenizer, unpublished."
    assert bibliography.system(figure(citation="")) is None
    assert bibliography.metric("lpips-of-a-plugin") is None
    assert bibliography.metric("fvd-i3d-equal") == bibliography.metric("fvd-i3d")
    assert bibliography.protocol("vidtok-long[height=128]") == Cite(("tang2024vidtok",))
    assert bibliography.protocol("mine") is None


@pytest.mark.parametrize(
    ("author", "printed"),
    [
        ("Doe, Jane", "Jane Doe. T."),
        ("Doe, Jane and Roe, Richard", "Jane Doe and Richard Roe. T."),
        ("Doe, Jane and others", "Jane Doe et al. T."),
        ("Doe, Jane and Roe, Richard and Poe, Edgar", "Jane Doe, Richard Roe, and Edgar Poe. T."),
        (" and ".join(f"N{i}, A" for i in range(7)), "A N0, A N1, A N2, et al. T."),
        ("{Wan Team}", "Wan Team. T."),
    ],
)
def test_authors_are_listed_first_name_first(author: str, printed: str) -> None:
    assert Reference("k", "misc", {"author": author, "title": "T"}).text == printed
