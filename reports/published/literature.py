"""Published figures, from the CSV files beside this module."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from ..schema import Direction, Figure, TableError, check_figures

PAPER = "Tang et al., VidTok, arXiv:2412.13061"
"""The paper whose tables the ``vidtok_table*`` files copy."""

PROTOCOL = "vidtok"
"""Protocol of its tables: the released evaluation script at 256×256, 17 frames (16 for models that aren't causal)."""


@dataclass(frozen=True)
class PublishedMetric:
    """A metric as the sources print it."""

    name: str
    """Our metric if the convention is known to be ours, else the title's name with ``-unstated``."""
    title: str
    direction: Direction
    unit: str = ""
    note: str = ""
    """What a reader must know about the convention."""


BINARY_UNIT = "the source divides by 2^20"
"""How the note begins on parameters that are printed in units of 2^20."""

UNSTATED = "the source doesn't state its convention"
"""Note on figures whose metric can't be matched with one of ours."""

_FVD = PublishedMetric("fvd-unstated", "FVD", "lower", note=UNSTATED)

VIDTOK_METRICS: Mapping[str, PublishedMetric] = {
    "params_m": PublishedMetric("params", "Params", "lower", "M"),
    "macs_t": PublishedMetric("macs", "MACs", "lower", "T"),
    "psnr": PublishedMetric("psnr", "PSNR", "higher", "dB"),
    "ssim": PublishedMetric("ssim", "SSIM", "higher"),
    "lpips": PublishedMetric("lpips-vgg", "LPIPS", "lower"),
    "fvd": _FVD,
    "utilization_percent": PublishedMetric("codebook-utilization", "Util.", "higher", "%"),
}
"""Column of a ``vidtok_table*`` file to metric. The released script fixes PSNR, SSIM and LPIPS; nothing fixes FVD."""

OTHER_METRICS: Mapping[str, PublishedMetric] = {
    "PSNR": PublishedMetric("psnr-unstated", "PSNR", "higher", "dB", UNSTATED),
    "SSIM": PublishedMetric("ssim-unstated", "SSIM", "higher", note=UNSTATED),
    "LPIPS": PublishedMetric("lpips-unstated", "LPIPS", "lower", note=UNSTATED),
    "FVD": _FVD,
    "rFVD": _FVD,
    "UtilRatePct": VIDTOK_METRICS["utilization_percent"],
}
"""Metric of ``other_results.csv`` to metric."""

VARIANT_TABLES = (2, 3, 5)
"""Tables of the VidTok paper that compare variants of VidTok alone, with figures."""

_TABLE1_DATASETS = {"mcl_jcv": "mcl-jcv", "webvid_val": "webvid-val"}


def vidtok_table1(protocol_hashes: Mapping[str, str] | None = None) -> list[Figure]:
    """Table 1 of the VidTok paper: systems compared on MCL-JCV and WebVid-Val.

    Args:
        protocol_hashes: protocol name to canonical hash. With the hash of ``vidtok`` a published figure is known to be
            under the same protocol as a measured one; without it, it is marked as foreign.
    """
    notes = {(r["system"], r["metric"]): r["note"] for r in read_published("vidtok_table1_notes.csv")}
    figures: list[Figure] = []
    for row in read_published("vidtok_table1.csv"):
        protocol = PROTOCOL if row["input"] == "17x256x256" else f"of its own paper, {row['input']}"
        for column, printed in row.items():
            dataset, name = _split_dataset(column)
            if name not in VIDTOK_METRICS or not printed:
                continue
            figure = _vidtok_figure(row["system"], row["regularizer"], "", name, printed, "Table 1")
            if dataset:
                figure = replace(figure, dataset=dataset, protocol=protocol)
            note = "; ".join(filter(None, (figure.note, notes.get((row["system"], figure.metric), ""))))
            figures.append(replace(figure, note=note))
    return _with_hashes(figures, protocol_hashes)


def vidtok_variants() -> list[Figure]:
    """Tables 2, 3 and 5 of the VidTok paper: architectures, regularizers and variants, on MCL-JCV."""
    figures: list[Figure] = []
    for table in VARIANT_TABLES:
        for row in read_published(f"vidtok_table{table}.csv"):
            for name, printed in row.items():
                if name in VIDTOK_METRICS and printed:
                    figure = _vidtok_figure(
                        "VidTok", _regularizer(row), _variant(table, row), name, printed, f"Table {table}"
                    )
                    of_model = name in ("params_m", "macs_t")
                    figures.append(figure if of_model else replace(figure, dataset="mcl-jcv", protocol=PROTOCOL))
    return figures


def variant_label(table: int, row: Mapping[str, str]) -> str:
    """The label that the figures of a row of one of :data:`VARIANT_TABLES` have in :func:`vidtok_variants`."""
    return _label("VidTok", _regularizer(row), _variant(table, row))


def _regularizer(row: Mapping[str, str]) -> str:
    """Table 2 doesn't print it: all its rows have one."""
    return row.get("regularizer", "KL - 4chn")


def _variant(table: int, row: Mapping[str, str]) -> str:
    if "description" in row:
        words = row["description"]
    elif "regularization_loss" in row:
        words = f"regularization loss: {row['regularization_loss']}"
    else:
        words = f"{row['compression']}, {'' if row['causal'] == 'yes' else 'not '}causal"
    return f"{words}; Table {table}"


def other_results() -> list[Figure]:
    """Figures of other systems from many sources, each under its source's own protocol and metric conventions.

    A figure that is known to be doubtful has the reason, with its source, in its note.
    """
    caveats = list(read_published("other_results_caveats.csv"))
    figures: list[Figure] = []
    for row in read_published("other_results.csv"):
        metric = OTHER_METRICS[row["metric"]]
        doubts = [
            f"{caveat['caveat']} ({caveat['caveat_source']})"
            for caveat in caveats
            if row["source"].startswith(caveat["source_begins"]) and row["metric"] == caveat["metric"]
        ]
        metric = replace(metric, note="; ".join(filter(None, (metric.note, *doubts))))
        name = f"{row['system']} {row['variant']}"
        figures.append(
            _figure(
                metric,
                row["value"],
                system=row["system"],
                regularizer=row["variant"],
                label=name,
                dataset=row["dataset"].lower(),
                protocol=f"{row['resolution']}, {row['frames']} frames; {row['source']}",
                citation=row["source"],
            )
        )
    return figures


def with_published(measured: Sequence[Figure], published: Iterable[Figure]) -> list[Figure]:
    """The measured figures and, after them, the published ones on the datasets that were measured.

    A published metric that was measured too takes the measured one's heading. Figures of the published models
    themselves (parameters) come along if the model keeps a figure on a dataset.

    Raises:
        TableError: if the figures don't belong together (see :func:`~..schema.check_figures`).
    """
    datasets = {figure.dataset for figure in measured if figure.dataset}
    known = {figure.metric: figure for figure in measured}
    listed = list(published)
    kept_rows = {figure.row_key for figure in listed if figure.dataset in datasets}
    added: list[Figure] = []
    for figure in listed:
        if figure.row_key not in kept_rows or (figure.dataset and figure.dataset not in datasets):
            continue
        ours = known.get(figure.metric)
        added.append(
            figure if ours is None else replace(figure, title=ours.title, direction=ours.direction, unit=ours.unit)
        )
    together = [*measured, *added]
    check_figures(together)
    return together


def read_published(name: str) -> Iterator[dict[str, str]]:
    """The lines of a CSV file beside this module, each by its column names."""
    text = files(str(__package__)).joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def rows_with_cards(table: int) -> Iterator[tuple[dict[str, str], str]]:
    """The rows of a table of the VidTok paper, each with the card of its model; empty where ours names none."""
    cards = list(read_published(f"vidtok_table{table}_cards.csv"))
    keys = [column for column in cards[0] if column != "tokenizer"]
    named = {tuple(card[key] for key in keys): card["tokenizer"] for card in cards}
    for row in read_published(f"vidtok_table{table}.csv"):
        yield row, named.get(tuple(row[key] for key in keys), "")


def _split_dataset(column: str) -> tuple[str, str]:
    for prefix, dataset in _TABLE1_DATASETS.items():
        if column.startswith(prefix):
            return dataset, column.removeprefix(f"{prefix}_")
    return "", column


def _vidtok_figure(system: str, regularizer: str, variant: str, column: str, printed: str, table: str) -> Figure:
    return _figure(
        VIDTOK_METRICS[column],
        printed,
        system=system,
        regularizer=regularizer,
        label=_label(system, regularizer, variant),
        dataset="",
        protocol="",
        citation=f"{PAPER}, {table}",
    )


def _label(system: str, regularizer: str, variant: str) -> str:
    return f"{system} {regularizer}" + (f" ({variant})" if variant else "")


def _figure(
    metric: PublishedMetric,
    printed: str,
    *,
    system: str,
    regularizer: str,
    label: str,
    dataset: str,
    protocol: str,
    citation: str,
) -> Figure:
    try:
        value = float(printed)
    except ValueError as error:
        raise TableError(f"published figures, {label}, {metric.title}: {printed!r} is not a number") from error
    return Figure(
        system=system,
        tokenizer=label,
        label=label,
        regularizer=regularizer,
        group=_group(regularizer, label),
        weights="official",
        dataset=dataset,
        protocol=protocol,
        protocol_hash="",
        metric=metric.name,
        title=metric.title,
        direction=metric.direction,
        unit=metric.unit,
        decimals=len(printed.partition(".")[2]),
        value=value,
        note=metric.note,
        origin="published",
        citation=citation,
    )


def _group(regularizer: str, label: str) -> str:
    """As tokenizers are grouped that were measured: by kind, channels, and a compression other than 4×8×8."""
    channels = re.search(r"(\d+) ?chn?\b", regularizer)
    if channels:
        kind = f"continuous-{channels.group(1)}"
    elif re.search(r"\b(VQ|LFQ|FSQ)\b", regularizer):
        kind = "discrete"
    else:
        return "other"
    compression = re.search(r"\b\d+x\d+x\d+\b", label)
    return kind if compression is None or compression.group() == "4x8x8" else f"{kind}-{compression.group()}"


def _with_hashes(figures: list[Figure], hashes: Mapping[str, str] | None) -> list[Figure]:
    known = hashes or {}
    return [replace(figure, protocol_hash=known.get(figure.protocol, "")) for figure in figures]
