"""Reports for tests of the page: made-up figures, videos, and kept clips of numbered frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from figure_builder import PROTOCOL_HASH, make_figure
from numbered_video import numbered_frames
from toklab.datasets.video_writer import write_video
from toklab.reports.charts.radar import build_radar
from toklab.reports.formats.interface import VIDEO_COLUMNS, KeptClip, Report
from toklab.reports.formats.page.page import report_files
from toklab.reports.identity import identify
from toklab.reports.schema import Figure
from toklab.reports.tables.plain import PlainTable
from toklab.reports.tables.table import build_table

KEEP_COMMAND = "toklab run demo --keep-recon all --out runs/demo-kept"
METRICS = ("bpp", "psnr", "ssim", "flicker", "lpips-vgg")
"""LPIPS is unavailable."""


def value_of(metric: str, system: int) -> float:
    """A system's figure; the order of the systems differs between metrics."""
    turned = (system * 7) % 11 + system / 1000
    return {
        "bpp": 0.01 * (1 + turned),
        "psnr": 22 + turned,
        "ssim": 0.9 - 0.02 * turned,
        "flicker": 0.01 + 0.001 * ((system * 5) % 13),
    }.get(metric, math.nan)


def made_figures(num_systems: int = 6, *, name: str = "system {}", dataset: str = "sample") -> list[Figure]:
    """Figures of systems in three groups and three families; the third has no flicker."""
    figures = []
    for system in range(num_systems):
        label = name.replace("{}", str(system))
        for metric in METRICS:
            value = math.nan if (metric, system) == ("flicker", 2) else value_of(metric, system)
            facts: dict[str, Any] = {"count": 204, "counted": "frames"}
            if math.isnan(value):
                note, hint = "the backbone's weights are not on this machine", "toklab weights pull lpips-vgg"
                facts = {"note": note, "hint": hint}
            elif metric == "psnr":
                facts |= {"low": value - 0.5, "high": value + 0.5, "num_sources": 12, "rank_low": 1, "rank_high": 2}
                facts |= {"rank": "best" if system < 3 else "", "family": "2 systems, 1 pair, 12 videos"}
            figures.append(
                make_figure(
                    metric,
                    label,
                    system=f"{('Alpha', 'Beta', 'Gamma')[system % 3]} {label}",
                    regularizer=f"KL - {system}chn",
                    group=("discrete", "continuous-4", "continuous-16")[system % 3],
                    dataset=dataset,
                    value=value,
                    **facts,
                )
            )
    return figures


def made_videos(figures: Sequence[Figure], sources: Sequence[str]) -> pd.DataFrame:
    """Figures of single videos around those of the report."""
    lines = [
        (figure.label, figure.dataset, figure.protocol_hash, figure.metric, (source,), figure.value + 0.01 * number)
        for figure in figures
        if figure.is_available
        for number, source in enumerate(sources)
    ]
    return pd.DataFrame(lines, columns=pd.Index(VIDEO_COLUMNS))


def made_report(
    figures: Sequence[Figure],
    *,
    title: str = "Small systems",
    sources: Sequence[str] = ("a.mp4", "b.mp4"),
    clips: Sequence[KeptClip] = (),
    provenance: Sequence[tuple[str, str]] = (("machine", "one core"),),
    failures: PlainTable | None = None,
) -> Report:
    """A report without drawings, which take long."""
    return Report(
        title=title,
        figures=tuple(figures),
        identities=identify(figures),
        table=build_table(figures, title=title, intervals="ends"),
        radar=build_radar(figures, ["psnr", "ssim", "flicker"]),
        radar_missing="",
        charts=(),
        tables=(),
        attachments={},
        methods=("Everything was measured.",),
        provenance=tuple(provenance),
        accounting=PlainTable(("label", "scored"), (("system 0", 12),), "lr"),
        failures=failures or PlainTable((), ()),
        clips=tuple(clips),
        videos=made_videos(figures, sources),
        keep_command=KEEP_COMMAND,
    )


def numbered_clip(folder: Path, labels: Sequence[str], *, source: str = "a.mp4", num_frames: int = 20) -> KeptClip:
    """A kept clip whose frames carry their number, in the reference and in every reconstruction.

    The reconstruction of system k is darker by 8·k in the ramps above the number.
    """
    frames = numbered_frames(num_frames)
    reference = folder / "reference.mkv"
    write_video(reference, frames, 30.0, "lossless")
    made: dict[str, Path] = {}
    values: dict[str, Mapping[str, tuple[float, ...]]] = {}
    for system, label in enumerate(labels):
        changed = frames.astype(np.int16)
        changed[:, :40] -= 8 * system
        made[label] = folder / f"{system}.mkv"
        write_video(made[label], np.clip(changed, 0, 255).astype(np.uint8), 30.0, "lossless")
        values[label] = {
            "psnr": tuple(30 + system + 0.25 * frame for frame in range(num_frames)),
            "ssim": tuple(0.9 - 0.001 * frame for frame in range(num_frames)),
        }
    return KeptClip("sample", "vidtok", PROTOCOL_HASH, source, 0, reference, made, values)


def bundled(report: Report) -> Report:
    """The same report, whose page is a folder."""
    return replace(report, is_bundle=True)


def write_page(report: Report, folder: Path) -> Path:
    """Write a report's page; its path."""
    for name, content in report_files(report).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return next(folder.rglob("*.html"))
