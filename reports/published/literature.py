"""Published figures, from the CSV files beside this module."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from ..schema import Direction, Figure, TableError, check_figures

PAPER = "Tang et al., VidTok, arXiv:2412.13061"
"""The paper whose tables the ``vidtok_table*`` files copy."""

PROTOCOL = "vidtok"
"""Protocol of its tables: the released evaluation script at 256×256, 17 frames (16 for models that aren't causal)."""


SIZE_TABLES = (1, 2, 5)
"""Tables of the paper that print the size of models which have cards."""

TABLE2_INPUT = "17x256x256"
"""Clips of Table 2, which doesn't print them; its multiply-adds are those of the base model at this size."""


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


@dataclass(frozen=True)
class PublishedSize:
    """Parameters and multiply-adds of a row of a table, as printed."""

    row: str
    """The row in the table's words."""
    tokenizer: str
    """Card of the model that the row is about."""
    params_m: str
    """Millions of parameters."""
    macs_t: str
    """Trillions of multiply-adds for a clip of ``size``; empty where the table has none."""
    size: tuple[int, int, int]
    """Frames, height and width of the table's clips."""


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


def vidtok_variants(protocol_hashes: Mapping[str, str] | None = None) -> list[Figure]:
    """Tables 2, 3 and 5 of the VidTok paper: architectures, regularizers and variants, on MCL-JCV.

    Args:
        protocol_hashes: as for :func:`vidtok_table1`.
    """
    describe: dict[str, Callable[[dict[str, str]], tuple[str, str]]] = {
        "2": lambda row: ("KL - 4chn", row["description"]),
        "3": lambda row: (row["regularizer"], f"regularization loss: {row['regularization_loss']}"),
        "5": lambda row: (
            row["regularizer"],
            f"{row['compression']}, {'' if row['causal'] == 'yes' else 'not '}causal",
        ),
    }
    figures: list[Figure] = []
    for table, description in describe.items():
        for row in read_published(f"vidtok_table{table}.csv"):
            regularizer, variant = description(row)
            for name, printed in row.items():
                if name in VIDTOK_METRICS and printed:
                    figure = _vidtok_figure(
                        "VidTok", regularizer, f"{variant}; Table {table}", name, printed, f"Table {table}"
                    )
                    of_model = name in ("params_m", "macs_t")
                    figures.append(figure if of_model else replace(figure, dataset="mcl-jcv", protocol=PROTOCOL))
    return _with_hashes(figures, protocol_hashes)


def vidtok_sizes(table: int) -> list[PublishedSize]:
    """The size columns of Table 1, 2 or 5 of the VidTok paper; ``vidtok_table*_cards.csv`` names the models.

    Rows without a size, of systems that aren't public, are left out.

    Raises:
        TableError: for another table, and for a row without a model.
    """
    if table not in SIZE_TABLES:
        raise TableError(
            f"there is no published Table {table} with sizes; there are: {', '.join(map(str, SIZE_TABLES))}"
        )
    cards = list(read_published(f"vidtok_table{table}_cards.csv"))
    keys = [column for column in cards[0] if column != "tokenizer"]
    tokenizers = {tuple(card[key] for key in keys): card["tokenizer"] for card in cards}
    sizes: list[PublishedSize] = []
    for row in read_published(f"vidtok_table{table}.csv"):
        if not row["params_m"]:
            continue
        key = tuple(row[name] for name in keys)
        if key not in tokenizers:
            raise TableError(f"vidtok_table{table}_cards.csv names no card for {', '.join(key)}")
        frames, height, width = (int(edge) for edge in row.get("input", TABLE2_INPUT).split("x"))
        name = _row_name(row)
        size = PublishedSize(name, tokenizers[key], row["params_m"], row.get("macs_t", ""), (frames, height, width))
        sizes.append(size)
    return sizes


def _row_name(row: Mapping[str, str]) -> str:
    if "description" in row:
        return row["description"]
    if "system" in row:
        return f"{row['system']}, {row['regularizer']}"
    return f"{row['regularizer']}, {row['compression']}, {'causal' if row['causal'] == 'yes' else 'non-causal'}"


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


def _split_dataset(column: str) -> tuple[str, str]:
    for prefix, dataset in _TABLE1_DATASETS.items():
        if column.startswith(prefix):
            return dataset, column.removeprefix(f"{prefix}_")
    return "", column


def _vidtok_figure(system: str, regularizer: str, variant: str, column: str, printed: str, table: str) -> Figure:
    label = f"{system} {regularizer}" + (f" ({variant})" if variant else "")
    return _figure(
        VIDTOK_METRICS[column],
        printed,
        system=system,
        regularizer=regularizer,
        label=label,
        dataset="",
        protocol="",
        citation=f"{PAPER}, {table}",
    )


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
        group=_group(regularizer),
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


def _group(regularizer: str) -> str:
    channels = re.search(r"(\d+) ?chn?\b", regularizer)
    if channels:
        return f"continuous-{channels.group(1)}"
    return "discrete" if re.search(r"\b(VQ|LFQ|FSQ)\b", regularizer) else "other"


def _with_hashes(figures: list[Figure], hashes: Mapping[str, str] | None) -> list[Figure]:
    known = hashes or {}
    return [replace(figure, protocol_hash=known.get(figure.protocol, "")) for figure in figures]
