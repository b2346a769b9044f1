"""The datasets of a plan: from what the user writes to kind, root and identity."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.catalog import parse_dataset
from ...datasets.interface import ColourMatrix
from ...datasets.names import root_identity
from ..catalog.catalog import datasets
from ..catalog.registry import RegistryError


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset that is to be measured on."""

    kind: str
    """Name in the catalog: ``folder``, ``mcl-jcv``."""
    root: Path | None
    """Where it lies, as the user wrote it."""
    identity: str
    """What its figures are kept by: the given name, the official name, or kind and resolved root."""
    colour_matrix: ColourMatrix | None = None
    """Matrix of its videos, for files that name none."""


def plan_dataset(text: str) -> PlannedDataset:
    """The dataset of ``KIND``, ``KIND:ROOT`` or ``NAME=KIND:ROOT``.

    Raises:
        ValueError: (a subclass) if it is written otherwise, there is no such kind, or the name is another dataset's.
    """
    kind, root, name = parse_dataset(text)
    datasets().check(kind)
    official = {known.casefold(): known for known in datasets()}
    if name and official.get(name.casefold(), kind) != kind:
        raise ValueError(f"{text!r}: {name} is the name of another dataset; choose one of your own")
    matrix = _class_value(kind, "colour_matrix")
    if name:
        return PlannedDataset(kind, root, name, matrix)
    place = root or (Path(data) / kind if (data := os.environ.get("TOKLAB_DATA")) else None)
    identity = root_identity(kind, place) if place is not None and _class_value(kind, "named_by_root") else kind
    return PlannedDataset(kind, root, identity, matrix)


def plan_datasets(texts: Iterable[str]) -> list[PlannedDataset]:
    """The datasets of a suite; what is written twice is there once.

    Raises:
        ValueError: (a subclass) as :func:`plan_dataset`, and if two places go by one name.
    """
    found: dict[str, PlannedDataset] = {}
    for text in texts:
        dataset = plan_dataset(text)
        known = found.setdefault(dataset.identity, dataset)
        if (known.kind, _place(known)) != (dataset.kind, _place(dataset)):
            raise ValueError(
                f"two datasets are called {dataset.identity}: give one of them a name, "
                f"NAME={dataset.kind}:{dataset.root or 'PATH'}"
            )
    return list(found.values())


def _place(dataset: PlannedDataset) -> Path | None:
    return None if dataset.root is None else dataset.root.expanduser().resolve()


def _class_value(kind: str, name: str) -> Any:
    try:
        return getattr(datasets().get(kind), name, None)
    except RegistryError:
        # A broken plugin fails where the dataset is opened, with its reason.
        return None
