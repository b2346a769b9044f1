"""The card of a run's tables as a dataset on the Hugging Face Hub: https://huggingface.co/docs/hub/datasets-cards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pandas as pd

from ...reports.tables.plain import escape_markdown
from ..analysis.run import Run
from ..catalog.broken_metric import BrokenMetric, find_metric

DESCRIPTIONS = {
    "figures": "one row a figure, with its 95 % interval and rank",
    "windows": "one row a window and metric",
    "accounting": "one row a tokenizer and dataset: windows requested, scored, failed",
    "failures": "one row a failed window",
}


def dataset_card(run: Run, frames: Mapping[str, pd.DataFrame], kind: str) -> str:
    """``README.md`` of a folder with these frames.

    Each frame with rows is a configuration of the dataset: ``load_dataset(FOLDER, "windows")``.

    Args:
        run: what was measured.
        frames: by name.
        kind: ending of their files.
    """
    return "\n".join((*_front_matter(run, frames, kind), "", *_text(run, frames))) + "\n"


def _front_matter(run: Run, frames: Mapping[str, pd.DataFrame], kind: str) -> Iterator[str]:
    # Text as JSON has it, which is YAML, too.
    yield "---"
    yield f"pretty_name: {json.dumps(run.name)}"
    yield "tags:\n- video\n- video-tokenizers\n- toklab"
    yield "configs:"
    for name in (name for name, frame in frames.items() if len(frame)):
        yield f"- config_name: {name}\n  data_files: {name}.{kind}"
        if name == "figures":
            yield "  default: true"
    yield "---"


def _text(run: Run, frames: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    yield f"# {escape_markdown(run.name)}\n"
    yield "Figures of video tokenizers, measured with toklab.\n"
    for name, frame in frames.items():
        yield f"- `{name}`: {DESCRIPTIONS[name]} ({len(frame):,} rows)"
    yield "\n## What was measured\n"
    places: dict[tuple[str, str, str], int] = {}
    for result in run.results:
        place = (result.dataset, str(result.cell.protocol["name"]), result.cell.protocol_hash)
        places[place] = max(places.get(place, 0), result.num_scored)
    for (dataset, protocol, digest), windows in places.items():
        place = f"{escape_markdown(dataset)}, protocol {escape_markdown(protocol)} ({digest})"
        yield f"- {place}: up to {windows:,} windows a tokenizer"
    yield "\nFigures under different protocol hashes can't be compared.\n\n## Metrics\n"
    for metric in map(find_metric, dict.fromkeys(name for result in run.results for name in result.cell.metrics)):
        if not isinstance(metric, BrokenMetric):
            yield f"- `{metric.name}`: {escape_markdown(metric.convention)}"
    yield "\n## Weights\n"
    for label, weights in dict.fromkeys((result.label, result.cell.weights) for result in run.results):
        yield f"- {escape_markdown(label)}: {escape_markdown(weights)}"
    versions = run.provenance[-1].get("versions", {}) if run.provenance else {}
    if versions:
        yield f"\nVersions: {', '.join(f'{name} {version}' for name, version in versions.items())}."
