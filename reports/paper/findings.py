"""The main finding of a report: which systems are best in each group, and where nothing can be told apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..identity import Identities
from ..schema import MIN_VIDEOS, Figure, group_order, group_title
from ..tables.table import format_interval, format_value
from .content import Finding, Leader, Prose, Unranked

MOST_NAMED = 3
"""Systems that a sentence names; of more it gives the number and the one with the best value."""


def find_leaders(figures: Sequence[Figure], identities: Identities, metrics: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Who is best in each group of measured systems, dataset by dataset and metric by metric.

    Metrics by which nothing is ranked are left out, unless only the number of videos is in the way.

    Args:
        figures: measured ones; published ones are left out.
        identities: names of their systems.
        metrics: the only ones to look at, in their order; empty: all, in the order of the figures.
    """
    order = list(metrics) or list(dict.fromkeys(figure.metric for figure in figures))
    columns: dict[tuple[str, tuple[str, str], str], list[Figure]] = {}
    for figure in figures:
        if (
            figure.origin == "measured"
            and figure.is_available
            and figure.dataset
            and figure.direction != "none"
            and figure.metric in order
        ):
            columns.setdefault((figure.dataset, figure.protocol_key, figure.metric), []).append(figure)
    found: list[tuple[tuple[object, ...], Finding]] = []
    datasets = list(dict.fromkeys(key[:2] for key in columns))
    for (dataset, protocol, metric), members in columns.items():
        most_videos = max(figure.num_sources for figure in members)
        if not any(figure.rank_low for figure in members) and not 0 < most_videos < MIN_VIDEOS:
            continue
        for group in sorted({figure.group for figure in members}, key=group_order):
            under = f" ({protocol[0]})" if sum(name == dataset for name, _ in datasets) > 1 else ""
            of_group = [figure for figure in members if figure.group == group]
            finding = _finding(of_group, dataset + under, identities)
            place = (datasets.index((dataset, protocol)), group_order(group), order.index(metric))
            found.append((place, finding))
    return tuple(finding for _, finding in sorted(found, key=lambda item: item[0]))


def _finding(figures: list[Figure], dataset: str, identities: Identities) -> Finding:
    ranked = [figure for figure in figures if figure.rank_low]
    sign = -1 if figures[0].direction == "higher" else 1
    by_value = sorted(figures, key=lambda figure: sign * figure.value)
    leaders = [figure for figure in by_value if figure.rank == "best"] or by_value[:1]
    first = leaders[0]
    unranked = [figure for figure in by_value if ranked and not figure.rank_low]
    return Finding(
        group=group_title(first.group),
        dataset=dataset,
        metric=first.metric,
        title=first.title,
        leaders=tuple(
            Leader(
                identities.of(figure).short,
                " ".join(filter(None, (format_value(figure), figure.unit))),
                format_interval(figure, "ends"),
            )
            for figure in leaders
        ),
        num_systems=len(ranked or figures),
        num_videos=max(figure.num_sources for figure in figures),
        is_ranked=bool(ranked),
        reasons=() if ranked else tuple(dict.fromkeys(filter(None, map(_why_unranked, by_value)))),
        unranked=tuple(Unranked(identities.of(figure).short, _why_unranked(figure)) for figure in unranked),
    )


def _why_unranked(figure: Figure) -> str:
    return figure.family.removeprefix("not ranked: ")


def summarize(findings: Sequence[Finding]) -> tuple[Prose, ...]:
    """The findings in sentences, one paragraph a dataset and group."""
    paragraphs: list[Prose] = []
    several = len({finding.dataset for finding in findings}) > 1
    for (dataset, group), members in itertools.groupby(findings, key=lambda finding: (finding.dataset, finding.group)):
        of_group = list(members)
        where = f" on {dataset}" if several else ""
        most = max(finding.num_systems + len(finding.unranked) for finding in of_group)
        head = f"{group}{where} ({most} system{'s' * (most > 1)}): "
        paragraphs.append((head + " ".join(_sentences(of_group)),))
    return tuple(paragraphs)


def _sentences(findings: list[Finding]) -> list[str]:
    sentences = []
    decided: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.is_decided:
            decided.setdefault(finding.leaders[0].name, []).append(finding)
    for name, won in decided.items():
        figures = [f"{finding.title} ({_figure(finding.leaders[0])})" for finding in won]
        sentences.append(f"{name} is best in {_listed(figures)}.")
    for finding in findings:
        leader = finding.leaders[0]
        if finding.num_systems == 1 and finding.unranked:
            sentences.append(f"In {finding.title}, {leader.name} alone is ranked, with {_figure(leader)}.")
        elif finding.num_systems == 1:
            sentences.append(f"{finding.title} is {_figure(leader)}; there is nothing to compare it with.")
        elif not finding.is_ranked:
            sentences.append(f"{leader.name} has the best {finding.title}, {_figure(leader)}, but {_reason(finding)}.")
        elif len(finding.leaders) == finding.num_systems:
            systems = "ranked system" if finding.unranked else "system"
            sentences.append(f"In {finding.title}, no {systems} can be told from the best, {_best(finding)}.")
        elif len(finding.leaders) > MOST_NAMED:
            sentences.append(
                f"In {finding.title}, {len(finding.leaders)} of {finding.num_systems} can't be told from the best, "
                f"{_best(finding)}."
            )
        elif len(finding.leaders) > 1:
            named = [f"{leader.name} ({_figure(leader)})" for leader in finding.leaders]
            sentences.append(f"In {finding.title}, {_listed(named)} lead and can't be told apart.")
    return sentences + _of_the_unranked(findings)


def _of_the_unranked(findings: list[Finding]) -> list[str]:
    """Who isn't ranked in what, and why; metrics of the same systems and reason in one sentence."""
    titles: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for finding in findings:
        names: dict[str, list[str]] = {}
        for each in finding.unranked:
            names.setdefault(each.reason, []).append(each.name)
        for reason, named in names.items():
            titles.setdefault((tuple(sorted(named)), reason), []).append(finding.title)
    return [
        f"{_listed(names) if len(names) <= MOST_NAMED else f'{len(names)} systems'} "
        f"{'is' if len(names) == 1 else 'are'} not ranked in {_listed(won)}{f': {reason}' if reason else ''}."
        for (names, reason), won in titles.items()
    ]


def _reason(finding: Finding) -> str:
    if 0 < finding.num_videos < MIN_VIDEOS:
        videos = f"{finding.num_videos} video{'s' * (finding.num_videos != 1)}"
        return f"with {videos} nothing is ranked: that takes {MIN_VIDEOS}"
    return ": ".join(filter(None, ("the group isn't ranked", "; ".join(finding.reasons))))


def _best(finding: Finding) -> str:
    return f"{finding.leaders[0].name} with {_figure(finding.leaders[0])}"


def _figure(leader: Leader) -> str:
    return " ".join(filter(None, (leader.value, leader.interval)))


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"
