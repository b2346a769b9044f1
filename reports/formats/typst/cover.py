"""The cover: the main finding in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...paper.content import Finding
from ...tables.table import is_timing
from ..interface import Report
from .glyphs import breakable, visible
from .prose import Data
from .tables import minus_signs

MOST_CARDS = 6
"""Groups with a number of their own on the cover."""


def cover_data(report: Report, findings: Sequence[Finding], by_name: Mapping[str, Data]) -> Data:
    """What the cover says: how much was measured, and who leads each group by the metric that decides in most.

    Args:
        report: the figures.
        findings: who leads which group by which metric.
        by_name: markers of systems by their short names.
    """
    shown = lead_findings(findings)
    several = len({finding.dataset for finding in shown}) > 1
    cards = [_card(finding, by_name, several=several) for finding in shown[:MOST_CARDS]]
    return {
        "metric": breakable(shown[0].title) if shown else "",
        "cards": cards,
        "intervals": _of_intervals(report, shown[:MOST_CARDS]),
        "num_others": len(shown[MOST_CARDS:]),
        "facts": _facts(report),
    }


def lead_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Those by the metric that most groups are ranked by, the first of several; of unranked groups that most have."""
    if not findings:
        return []
    numbers = Counter({finding.metric: 0 for finding in findings})
    numbers.update(finding.metric for finding in findings if finding.is_ranked)
    metric = max(numbers, key=lambda name: numbers[name])
    return [finding for finding in findings if finding.metric == metric]


def _card(finding: Finding, by_name: Mapping[str, Data], *, several: bool) -> Data:
    first = finding.leaders[0]
    value, _, unit = first.value.partition(" ")
    return {
        "group": breakable(f"{finding.group}, {finding.dataset}" if several else finding.group),
        "value": minus_signs(visible(value)),
        "unit": breakable(unit),
        "interval": minus_signs(visible(first.interval)),
        "system": breakable(first.name),
        "swatch": by_name.get(first.name),
        "verdict": _verdict(finding),
    }


def _verdict(finding: Finding) -> str:
    others, unranked = len(finding.leaders) - 1, len(finding.unranked)
    if finding.num_systems == 1:
        return f"the only one ranked of {1 + unranked}" if unranked else "the only system of its kind"
    if not finding.is_ranked:
        return f"best value of {finding.num_systems}, which are not ranked"
    beside = f"; {unranked} more {'is' if unranked == 1 else 'are'} not ranked" if unranked else ""
    if others:
        return f"{others} of the other {finding.num_systems - 1} can’t be told from it{beside}"
    return f"best of {finding.num_systems}{beside}"


def _of_intervals(report: Report, findings: Sequence[Finding]) -> str:
    """What the brackets and parentheses of cards hold; empty where there are none."""
    timed = {figure.metric for figure in report.figures if is_timing(figure)}
    over = "repetitions" if findings and findings[0].metric in timed else "videos"
    words = {
        "[": f"in brackets: 95 % intervals over {over}",
        "(": "in parentheses: the smallest and largest repetition",
    }
    shown = {finding.leaders[0].interval[:1] for finding in findings}
    return "; ".join(text for mark, text in words.items() if mark in shown)


def _facts(report: Report) -> list[Data]:
    """How much was measured: a number and what it counts."""
    measured = [figure for figure in report.figures if figure.origin == "measured"]
    videos: dict[str, int] = {}
    for figure in measured:
        videos[figure.dataset] = max(figure.num_sources, videos.get(figure.dataset, 0))
    counts = {
        "tokenizer": len({figure.label for figure in measured}),
        "dataset": len({figure.dataset for figure in measured if figure.dataset}),
        "video": sum(videos.values()),
        "metric": len({figure.metric for figure in measured if figure.is_available}),
    }
    return [{"number": f"{n:,}", "name": name if n == 1 else f"{name}s"} for name, n in counts.items() if n]
