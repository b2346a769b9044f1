"""The columns of a printed table: figures of the tokenizer itself, then each dataset under each protocol.

Who shares a column:

- measured figures of one dataset under one protocol (name and hash); another protocol gets columns of its own, unless
  ``across_protocols`` puts it into the first one's, and then each such figure carries a mark and a footnote;
- published figures stand in the column of their dataset and metric and are always marked. One under another protocol,
  or of a metric that has the same title and another convention, says so in a footnote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..schema import Figure

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
"""Direction to the arrow behind a column heading."""


def metric_heading(title: str, unit: str = "", direction: str = "none") -> str:
    """Title, unit and arrow: ``PSNR (dB) ↑``."""
    return " ".join(filter(None, (title, f"({unit})" if unit else "", ARROWS[direction])))


@dataclass(frozen=True)
class ColumnGroup:
    """Columns under one heading: a dataset under a protocol."""

    dataset: str
    """Empty for figures of the tokenizer itself."""
    protocol: str
    protocol_hash: str
    title: str
    """The printed heading; names the protocol where another group has the same dataset."""


@dataclass(frozen=True)
class Column:
    """One metric of a column group."""

    group: ColumnGroup
    metric: str
    title: str
    unit: str
    direction: str

    @property
    def heading(self) -> str:
        """Title, unit and arrow: ``PSNR (dB) ↑``."""
        return metric_heading(self.title, self.unit, self.direction)

    @property
    def heading_without_unit(self) -> str:
        """Title and arrow: ``PSNR ↑``."""
        return metric_heading(self.title, direction=self.direction)

    def is_home(self, figure: Figure) -> bool:
        """Whether a figure is of this column's own protocol and metric."""
        return figure.metric == self.metric and figure.protocol_key == (self.group.protocol, self.group.protocol_hash)


def arrange_columns(figures: Sequence[Figure], across_protocols: bool) -> tuple[tuple[Column, ...], list[int]]:
    """The columns of a table, and for each figure the index of its column."""
    groups: list[tuple[str, tuple[str, str]]] = []
    for figure in figures:
        group = (figure.dataset, figure.protocol_key)
        same_dataset = [g for g in groups if g[0] == figure.dataset]
        if figure.origin == "measured" and group not in groups and not (across_protocols and same_dataset):
            groups.append(group)
    homes = _published_homes([figure for figure in figures if figure.origin == "published"])
    groups += [(dataset, key) for dataset, key in homes.items() if dataset not in {g[0] for g in groups}]
    groups.sort(key=lambda group: group[0] != "")
    in_group: list[list[Figure]] = [[] for _ in groups]
    group_of = [_nearest_group(figure, groups) for figure in figures]
    for figure, index in zip(figures, group_of, strict=True):
        in_group[index].append(figure)
    headings = _group_headings(groups)
    columns: list[Column] = []
    places: dict[tuple[int, str], int] = {}
    for index, heading in enumerate(headings):
        for figure in sorted(
            in_group[index], key=lambda f: (f.origin == "published", f.protocol_key != groups[index][1])
        ):
            same_title = [
                place
                for (group, _), place in places.items()
                if group == index and columns[place].title == figure.title and figure.origin == "published"
            ]
            if (index, figure.metric) not in places and same_title:
                places[index, figure.metric] = same_title[0]
            elif (index, figure.metric) not in places:
                places[index, figure.metric] = len(columns)
                columns.append(Column(heading, figure.metric, figure.title, figure.unit, figure.direction))
    return _distinguish(columns), [places[i, f.metric] for i, f in zip(group_of, figures, strict=True)]


def _published_homes(published: list[Figure]) -> dict[str, tuple[str, str]]:
    """The protocol most published figures of each dataset are under."""
    homes: dict[str, tuple[str, str]] = {}
    for dataset in dict.fromkeys(figure.dataset for figure in published):
        keys = [figure.protocol_key for figure in published if figure.dataset == dataset]
        homes[dataset] = max(dict.fromkeys(keys), key=keys.count)
    return homes


def _nearest_group(figure: Figure, groups: list[tuple[str, tuple[str, str]]]) -> int:
    candidates = [index for index, group in enumerate(groups) if group[0] == figure.dataset]
    exact = [index for index in candidates if groups[index][1] == figure.protocol_key]
    named = [index for index in candidates if groups[index][1][0] == figure.protocol]
    return (exact or named or candidates)[0]


def _group_headings(groups: list[tuple[str, tuple[str, str]]]) -> list[ColumnGroup]:
    headings = []
    for dataset, (protocol, protocol_hash) in groups:
        others = [key for name, key in groups if name == dataset and key != (protocol, protocol_hash)]
        suffix = protocol if protocol not in {name for name, _ in others} else f"{protocol} {protocol_hash}"
        title = f"{dataset} ({suffix})" if others and dataset else dataset or (suffix if others else "")
        headings.append(ColumnGroup(dataset, protocol, protocol_hash, title))
    return headings


def _distinguish(columns: list[Column]) -> tuple[Column, ...]:
    """Name the metric in headings that two columns of a group would share."""
    shared = [(column.group, column.title) for column in columns]
    return tuple(
        replace(column, title=column.metric) if shared.count((column.group, column.title)) > 1 else column
        for column in columns
    )
