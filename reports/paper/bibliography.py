"""The literature on systems, metrics, datasets and methods, and what of it a paper cites.

``references.bib`` has the entries, one field a line; ``cited.csv`` says which of them stand for a card's citation, a
system, a metric, a dataset, a protocol or a method.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ..identity import family_of
from ..schema import Figure, TableError
from .content import Cite, Reference

DERIVED_METRICS = ("-equal", "-extrapolated")
"""Endings of metrics that have the literature of the metric they are derived from."""

_ENTRY = re.compile(r"^@(\w+)\{([^,]+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
_ARXIV = re.compile(r"arXiv:\d{4}\.\d{5}")


@cache
def shipped_references() -> Mapping[str, Reference]:
    """Every entry of ``references.bib``, by key."""
    text = files(__package__ or "").joinpath("references.bib").read_text(encoding="utf-8")
    return {key: Reference(key, kind, dict(_FIELD.findall(body))) for kind, key, body in _ENTRY.findall(text)}


@cache
def shipped_citations() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Keys of entries by kind (``card``, ``system``, ``metric``, ``dataset``, ``protocol``, ``method``) and name."""
    text = files(__package__ or "").joinpath("cited.csv").read_text(encoding="utf-8")
    found = {(row["kind"], row["name"]): tuple(row["keys"].split()) for row in csv.DictReader(text.splitlines())}
    unknown = sorted({key for keys in found.values() for key in keys} - set(shipped_references()))
    if unknown:
        raise TableError(f"cited.csv names entries that references.bib lacks: {', '.join(unknown)}")
    return found


class Bibliography:
    """Collects what is cited, in the order of the first citation."""

    def __init__(self) -> None:
        self._cited: dict[str, Reference] = {}

    def system(self, figure: Figure) -> Cite | None:
        """The literature on a figure's system: of its card's citation, and of the system that it stands for.

        A citation that nobody knows becomes an entry of its own, with its text as it is. ``None`` without a citation.
        """
        keys = [*self._of_citation(figure.citation), *shipped_citations().get(("system", family_of(figure.system)), ())]
        return self._cite(keys)

    def metric(self, name: str) -> Cite | None:
        """The literature on a metric; ``None`` for metrics of plugins."""
        for ending in DERIVED_METRICS:
            name = name.removesuffix(ending)
        return self._cite(shipped_citations().get(("metric", name), ()))

    def dataset(self, name: str) -> Cite | None:
        """The literature on a dataset; ``None`` for a user's own."""
        return self._cite(shipped_citations().get(("dataset", name), ()))

    def protocol(self, name: str) -> Cite | None:
        """The literature on a protocol, changed or not; ``None`` for a user's own."""
        base = name.partition("[")[0]
        while base and ("protocol", base) not in shipped_citations():
            base = base.rpartition("-")[0]
        return self._cite(shipped_citations().get(("protocol", base), ()))

    def method(self, name: str) -> Cite | None:
        """The literature on a method: ``bootstrap``, ``bd-rate``, ``toklab``."""
        return self._cite(shipped_citations()["method", name])

    def listed(self) -> tuple[Reference, ...]:
        """What was cited, in the order of the first citation."""
        return tuple(self._cited.values())

    def _cite(self, keys: list[str] | tuple[str, ...]) -> Cite | None:
        for key in keys:
            if key in shipped_references():
                self._cited.setdefault(key, shipped_references()[key])
        return Cite(tuple(dict.fromkeys(keys))) if keys else None

    def _of_citation(self, citation: str) -> tuple[str, ...]:
        if not citation:
            return ()
        if known := shipped_citations().get(("card", citation)):
            return known
        for arxiv in _ARXIV.findall(citation):
            for key, reference in shipped_references().items():
                if reference.fields.get("journal") == arxiv:
                    return (key,)
        for key, reference in self._cited.items():
            if reference.fields.get("title") == citation:
                return (key,)
        number = sum(key.startswith("own") for key in self._cited) + 1
        self._cited[f"own{number}"] = Reference(f"own{number}", "misc", {"title": citation})
        return (f"own{number}",)
