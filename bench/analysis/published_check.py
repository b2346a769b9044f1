"""Measured figures beside published ones: reproduced, contradicted or not comparable, and which switch explains it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ...datasets.mcl_jcv import SEQUENCE_FPS
from ...datasets.protocol import load_protocol
from ...reports.published.by_card import CardFigure, figures_by_card
from ...reports.published.literature import BINARY_UNIT, PROTOCOL
from ...reports.schema import Figure
from ...reports.tables.published_check import COLUMNS
from ...tokenizers.interface import InferenceSettings
from ..catalog.broken_metric import BrokenMetric, find_metric
from ..metrics.interface import Estimate, Unavailable
from ..statistics.intervals import Interval
from .agreement import Agreement, Basis, agreement
from .cell_results import CellResults
from .condition_switches import changed_fields, difference
from .conventions import family_of, interval_of, own_reading, readings
from .results import RunResults
from .shared_windows import Contestant

COMPLETE_SETS = {"mcl-jcv": len(SEQUENCE_FPS)}
"""Datasets that are one list of videos for everybody, and how many those are."""
SETTINGS_OF_ITS_OWN = ("posterior", "seed")
"""Inference settings that a published figure leaves open."""
MEBI_PER_MILLION = 2**20 / 1e6
OF_MODELS = ("params", "macs")
"""Metrics that no video plays a part in."""


@dataclass(frozen=True)
class Check:
    """A published figure beside what a run measured of the same model on the same dataset."""

    published: CardFigure
    label: str
    """The run's row; empty where the run has none."""
    protocol: str
    """The protocol that was measured under; empty where none plays a part."""
    measured: Interval
    unit: str
    agreement: Agreement
    switches: tuple[str, ...] = field(default=())
    """Readings of the same rows, or of other cells, that would agree: what may explain a difference."""


def check_published(run: RunResults) -> list[Check]:
    """Every published figure of a model and a dataset that a run measured, and of the models alone.

    A suite that prints published rows gets a check of each figure of Table 1 on its datasets, measured or not.
    """
    cells: dict[str, list[CellResults]] = {}
    for result in run.results:
        model = str(result.cell.spec.get("stand_in_for", "")) or result.cell.tokenizer
        cells.setdefault(model, []).append(result)
    wants_all = run.suite is not None and run.suite.published
    datasets = {result.dataset for result in run.results}
    found: list[Check] = []
    for published in figures_by_card():
        figure = published.figure
        here = [one for one in cells.get(published.tokenizer, ()) if figure.dataset in ("", one.dataset)]
        if here:
            found += _checks(published, here)
        elif wants_all and figure.dataset in datasets and figure.citation.endswith("Table 1"):
            reason = "the run has no such model" if published.tokenizer else "its weights aren't public"
            refused = Agreement("not comparable", reason)
            found.append(Check(published, "", "", Interval(math.nan, 0), figure.unit, refused))
    return found


def counts(checks: Sequence[Check]) -> Counter[str]:
    """How many checks came to each verdict."""
    return Counter(check.agreement.verdict for check in checks)


def check_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """One row a check, in the columns of :mod:`toklab.reports.tables.published_check`."""
    return pd.DataFrame([_row(check) for check in checks], columns=pd.Index(COLUMNS))


def _row(check: Check) -> dict[str, object]:
    figure, measured = check.published.figure, check.measured
    return {
        "system": figure.label,
        "card": check.published.tokenizer,
        "label": check.label,
        "dataset": figure.dataset,
        "protocol": check.protocol,
        "metric": figure.metric,
        "title": figure.title,
        "unit": figure.unit,
        "decimals": figure.decimals,
        "measured": measured.value,
        "low": math.nan if measured.low is None else measured.low,
        "high": math.nan if measured.high is None else measured.high,
        "videos": measured.num_sources,
        "published": figure.value,
        "accepted_low": check.agreement.low,
        "accepted_high": check.agreement.high,
        "verdict": check.agreement.verdict,
        "reason": check.agreement.reason,
        "explained_by": "; ".join(check.switches),
        "note": figure.note,
        "source": figure.citation,
    }


def _checks(published: CardFigure, here: Sequence[CellResults]) -> Iterator[Check]:
    """Of each cell under the published protocol; of the first one where there is none, or the protocol isn't stated.

    A figure of the model alone is checked once, of the first cell that has it.
    """
    figure = published.figure
    home = [result for result in here if is_published_protocol(result)]
    states_all = figure.protocol in ("", PROTOCOL)
    chosen = home if home and states_all else here[:1]
    if figure.metric in OF_MODELS:
        able = here if figure.metric == "params" or not states_all else home or here
        chosen = [min(able, key=lambda result: _lacks(published, result))]
    for result in chosen:
        yield _check(published, result, here)


def _lacks(published: CardFigure, result: CellResults) -> tuple[bool, bool]:
    """Whether a cell lacks a figure, and whether it is no cell of the model."""
    lacks = isinstance(_measured(published.figure, result), Unavailable)
    return lacks, any(_not_the_model(published, result))


def _check(published: CardFigure, result: CellResults, here: Sequence[CellResults]) -> Check:
    figure = published.figure
    outcome = _measured(figure, result)
    measured = interval_of(outcome)
    reasons, switches = list(_not_the_model(published, result)), ()
    if reasons:
        judged = Agreement("not comparable", "; ".join(reasons))
    else:
        reasons += _other_conditions(figure, result)
        reasons += [outcome.reason] if isinstance(outcome, Unavailable) else _partly(figure.metric, result)
        judged = _agree(measured, figure, _basis(figure, result))
        if reasons:
            judged = Agreement("not comparable", "; ".join(reasons))
        if judged.verdict != "reproduced":
            switches = tuple(_explanations(figure, result, here))
    protocol = "" if figure.metric in OF_MODELS else result.cell.protocol["name"]
    return Check(published, result.label, protocol, measured, figure.unit, judged, switches)


def _measured(figure: Figure, result: CellResults) -> Estimate | Unavailable:
    """What a cell has by the metric of a published figure, in the figure's unit; or why it has nothing."""
    metric = find_metric(figure.metric)
    if isinstance(metric, BrokenMetric):
        return Unavailable(figure.note.partition(";")[0] or "the metric's convention isn't stated", "")
    outcome = result.evaluate(metric)
    if isinstance(outcome, Unavailable):
        if metric.name not in result.cell.metrics:
            return Unavailable(f"not measured: give the command of the run once more with -m {metric.name}", "")
        hint = f"; {outcome.hint}" if outcome.hint else ""
        return Unavailable(f"not measured: {outcome.reason}{hint}", "")
    if figure.metric == "params" and BINARY_UNIT in figure.note:
        return replace(outcome, value=outcome.value / MEBI_PER_MILLION, low=None, high=None)
    return outcome


def _agree(measured: Interval, figure: Figure, basis: Basis) -> Agreement:
    return agreement(
        measured.value,
        figure.value,
        figure.decimals,
        basis,
        low=math.nan if measured.low is None else measured.low,
        high=math.nan if measured.high is None else measured.high,
        num_videos=measured.num_sources,
    )


def _basis(figure: Figure, result: CellResults) -> Basis:
    if figure.metric in OF_MODELS:
        return "model"
    return "same videos" if saw_whole_dataset(result) else "other videos"


def _partly(name: str, result: CellResults) -> list[str]:
    """That a metric was measured on some of the scored windows alone, if it was: others would move its figure."""
    metric = find_metric(name)
    # A result record has counts of all windows together in place of those of each.
    if name in OF_MODELS or result.lacks_windows(metric):
        return []
    measured = len(Contestant.of(result, metric).windows)
    return [f"measured on {measured:,} of {result.num_scored:,} windows"] if measured < result.num_scored else []


def saw_whole_dataset(result: CellResults) -> bool:
    """Whether every window of a dataset was scored that is one list of videos for everybody."""
    rows = result.contents.rows
    contents = rows.texts["content_id"].take(np.flatnonzero(rows.is_scored))
    return (
        result.is_complete
        and not result.cell.missing
        and len(contents) == result.cell.planned
        and len(contents.present()) == COMPLETE_SETS.get(result.dataset)
    )


def is_published_protocol(result: CellResults) -> bool:
    """Whether a cell was measured under the protocol of VidTok's script, by hash; its colour matrix isn't stated."""
    protocol = load_protocol(PROTOCOL)
    matrices = (None, "bt709", "bt601")
    return result.cell.protocol_hash in {protocol.model_copy(update={"colour_matrix": m}).hash for m in matrices}


def _not_the_model(published: CardFigure, result: CellResults) -> Iterator[str]:
    if result.cell.status == "failed":
        yield f"{result.label} couldn't run: {result.cell.reason}"
    elif result.cell.tokenizer != published.tokenizer:
        yield f"{result.cell.tokenizer} stands in for {published.tokenizer}, and is another model"
    elif result.cell.weights.startswith("random"):
        yield "its weights are random"


def _other_conditions(figure: Figure, result: CellResults) -> Iterator[str]:
    cell = result.cell
    if figure.metric == "params":
        return
    if figure.protocol not in ("", PROTOCOL):
        yield f"published under a protocol that isn't fully stated ({figure.protocol.partition(';')[0]})"
    elif not is_published_protocol(result):
        changed = changed_fields(cell.protocol, load_protocol(PROTOCOL).model_dump(mode="json"))
        yield (
            f"published under {PROTOCOL}, measured with {', '.join(changed) or 'another protocol'}: "
            f"needs a run with --protocol {PROTOCOL}"
        )
    if figure.metric in OF_MODELS:
        return
    defaults = InferenceSettings().as_dict()
    if changed := [
        f"{n}={v}" for n, v in cell.settings.items() if n not in SETTINGS_OF_ITS_OWN and v != defaults.get(n)
    ]:
        yield f"measured with {', '.join(changed)}, which the source doesn't say"
    samples = cell.settings.get("posterior", "mode") == "sample"
    if figure.system == "VidTok" and cell.spec.get("regularizer") == "kl" and not samples:
        needed = "--set posterior=sample --set seed=42"
        yield f"VidTok's script samples latents, and these are means: needs a run with {needed}"


def _explanations(figure: Figure, result: CellResults, here: Sequence[CellResults]) -> Iterator[str]:
    """Conventions and conditions that would agree with the published figure: one switch each, of what was measured."""
    if figure.metric in OF_MODELS:
        return
    is_stated = not figure.metric.endswith("-unstated")
    base = figure.metric if is_stated else family_of(figure.metric)[0].metric
    own = next((one for one in family_of(base) if one.metric == base), None)
    candidates = [(f"{one.switch}: {one.words}", one, result) for one in readings(result, base)]
    # Under another protocol than the paper's, the figure itself tells whether the protocol explains the difference.
    is_open = not is_stated or not is_published_protocol(result)
    if is_open and own is not None and (reading := own_reading(result, own)) is not None:
        candidates.insert(0, (f"{reading.switch}: {reading.words}", reading, result))
    for other in here:
        turned = difference(result.cell, other.cell)
        reading = own_reading(other, own) if own is not None and turned.switches else None
        if reading is not None:
            candidates.append((f"{turned.switch}: {turned.words}", reading, other))
    for words, reading, cell in candidates:
        # What some of the windows give says nothing of a figure that rests on all.
        if _partly(reading.metric or base, cell):
            continue
        interval = reading.interval(cell)
        if _agree(interval, figure, _basis(figure, cell)).verdict == "reproduced":
            foreign = (
                "" if is_published_protocol(cell) or cell is not result else f" under {cell.cell.protocol['name']}"
            )
            yield f"{words}{foreign} gives {interval.value:.{figure.decimals}f}"
