"""Qualitative strips of a run: what its tokenizers make of a few frames, chosen by rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from ...reports.charts.pictures import Chart
from ...reports.charts.strips import MOST_SYSTEMS, Pane, StripFrame, draw_strip, error_map
from ...reports.identity import Identities, Identity, identify
from ...reports.schema import Figure, group_title
from .cell_results import CellResults
from .frame_pixels import Box, FramePixels, crop_box, read_frame, without_damaged
from .frame_quality import frame_psnr, frame_ssim
from .kept_frames import KeptWindow, choose_frames, kept_windows, sharing_systems
from .places import Place, places_of

NOTHING_KEPT = (
    "No frames are shown, as no reconstructions were kept; `toklab run SUITE --out NEW_FOLDER --keep-recon 4` keeps "
    "those of 4 windows"
)
MOST_STRIPS = 8
"""Of a report; what has no place is named in its methods."""
LONGEST_SIDE = 400
"""Pixels of frames in a report; larger ones are reduced, as print shows no more."""
ERROR_SHARE = 0.99
"""Of all shown differences that the scale of the error maps holds; the rest has the colour of its end."""
ERROR_LIMITS = (1, 2, 5, 10, 20, 50, 100, 200, 255)
"""Ends of that scale, in 8-bit levels."""
RULES = {
    "worst": "lowest mean PSNR of the systems",
    "best": "highest mean PSNR",
    "median difference": "median of highest minus lowest PSNR",
    "by hash": "smallest SHA-256 of clip and position",
}
"""What the caption says of each rule."""
COLUMNS = (
    *("label", "rule", "source", "window", "position", "psnr", "ssim"),
    *("crop_top", "crop_left", "crop_height", "crop_width"),
)
"""Of a strip's points: one line a system and frame, the crop in pixels."""


def run_strips(results: Sequence[CellResults], figures: Sequence[Figure], left_out: list[str]) -> list[Chart]:
    """The strips of a run, apart for each dataset and protocol, with a few comparable systems each.

    Args:
        results: cells with their windows.
        figures: theirs; systems without any have no name in a report and aren't shown.
        left_out: takes sentences on what isn't shown.
    """
    identities = identify(figures)
    groups = {figure.label: figure.group for figure in figures if figure.origin == "measured"}
    charts: list[Chart] = []
    crowded: list[str] = []
    nothing_kept = True
    for place in places_of(results):
        windows = [
            replace(each, reconstructions={k: v for k, v in each.reconstructions.items() if k in identities})
            for each in kept_windows(place)
        ]
        nothing_kept = nothing_kept and not windows
        sets = _readable_sets([each for each in windows if each.reconstructions], place, left_out)
        limit = error_limit([frame for frames in sets for frame in frames])
        number = 0
        for frames in sets:
            # In the order of the report.
            labels = [label for label in identities if label in frames[0].made]
            boxes = [crop_box(frame.reference, list(frame.made.values())) for frame in frames]
            for systems in pack(labels, groups):
                number += 1
                if len(charts) == MOST_STRIPS:
                    crowded += systems
                    continue
                caption = _caption(place, frames, limit) if systems[0] == labels[0] else _caption_of_others(place)
                drawing, points = _strip(frames, boxes, systems, identities, groups, limit)
                chart_name = f"strip_{number}{place.suffix}"
                charts.append(Chart(chart_name, caption, drawing, points, title="Frames side by side", width="page"))
        shown = {label for frames in sets for label in frames[0].made}
        if windows and (missing := [i.short for i in _here(place, identities) if i.label not in shown]):
            left_out.append(
                f"No frames of {', '.join(missing)} are shown {place.words}: none were kept, or are damaged"
            )
    if nothing_kept and any(result.num_scored for result in results):
        left_out.append(NOTHING_KEPT)
    if crowded:
        names = ", ".join(dict.fromkeys(identities[label].short for label in crowded))
        left_out.append(f"A report shows at most {MOST_STRIPS} strips of frames; there was no place for {names}")
    return charts


def _here(place: Place, identities: Identities) -> list[Identity]:
    scored = {result.label for result in place.results if result.num_scored}
    return [identity for label, identity in identities.items() if label in scored]


def _readable_sets(windows: list[KeptWindow], place: Place, left_out: list[str]) -> list[list[FramePixels]]:
    """The chosen frames of each set of systems that share windows; damaged files are named and passed over."""
    while True:
        read = [
            [read_frame(chosen, labels) for chosen in choose_frames(shared, labels)]
            for labels, shared in sharing_systems(windows)
        ]
        damaged = [each for frames in read for frame in frames if isinstance(frame, list) for each in frame]
        if not damaged:
            return [[frame for frame in frames if isinstance(frame, FramePixels)] for frames in read]
        for each in dict.fromkeys((d.label, d.window.source, d.window.window, d.reason) for d in damaged):
            label, source, window, reason = each
            what = f"reconstruction by {label}" if label else "reference"
            left_out.append(
                f"Kept {what} of {source}, window {window}, {place.words}: {reason}; no frame of it is shown"
            )
        windows = without_damaged(windows, damaged)


def pack(labels: Sequence[str], groups: Mapping[str, str]) -> list[list[str]]:
    """Systems in strips of at most :data:`~toklab.reports.charts.strips.MOST_SYSTEMS`, in their order.

    A group stays together where it fits; larger ones are split into parts of nearly equal size. Small groups share a
    strip.
    """
    strips: list[list[str]] = []
    for _, members in itertools.groupby(labels, lambda label: groups.get(label, "")):
        group = list(members)
        num_parts = math.ceil(len(group) / MOST_SYSTEMS)
        if num_parts > 1:
            strips += [list(part) for part in np.array_split(np.array(group, dtype=object), num_parts)]
        elif strips and len(strips[-1]) + len(group) <= MOST_SYSTEMS:
            strips[-1] += group
        else:
            strips.append(group)
    return strips


def error_limit(frames: Sequence[FramePixels]) -> float:
    """The upper end of the error maps' scale: the first of :data:`ERROR_LIMITS` that holds 99 % of the differences."""
    # Three times the mean of R, G and B is a whole number, so counting takes little memory and is exact.
    counts = np.zeros(3 * 255 + 1, np.int64)
    for frame in frames:
        for made in frame.made.values():
            sums = np.abs(made.astype(np.int16) - frame.reference).sum(-1)
            counts += np.bincount(sums.ravel(), minlength=len(counts))
    below = counts.cumsum()
    return next(float(limit) for limit in ERROR_LIMITS if below[3 * limit] >= ERROR_SHARE * below[-1])


def _strip(
    frames: Sequence[FramePixels],
    boxes: Sequence[Box],
    systems: Sequence[str],
    identities: Identities,
    groups: Mapping[str, str],
    limit: float,
) -> tuple[Drawing, pd.DataFrame]:
    """A strip of some systems, and its points."""
    shown = [_strip_frame(frame, box, systems) for frame, box in zip(frames, boxes, strict=True)]
    rows = []
    for frame, box, drawn in zip(frames, boxes, shown, strict=True):
        window = frame.chosen.window
        where = (frame.chosen.rule, window.source, window.window, frame.chosen.position)
        crop = (box.top, box.left, box.height, box.width)
        rows += [(pane.label, *where, pane.psnr, pane.ssim, *crop) for pane in drawn.systems]
    titles = {label: group_title(groups[label]) for label in systems}
    return draw_strip(shown, identities, titles, limit), pd.DataFrame(rows, columns=list(COLUMNS))


def _strip_frame(frame: FramePixels, box: Box, systems: Sequence[str]) -> StripFrame:
    window, position = frame.chosen.window, frame.chosen.position
    height, width = frame.reference.shape[:2]
    panes = []
    for label in systems:
        made = frame.made[label]
        error = _reduced(error_map(frame.reference, made))
        panes.append(Pane(label, _small(made), box.cut(made), error, *frame_numbers(frame, label)))
    return StripFrame(
        title=f"{frame.chosen.rule.capitalize()}: {window.source}, window {window.window}, "
        f"frame {position + 1} of {len(window.frame_ids)}",
        crop=(box.top / height, box.left / width, box.height / height, box.width / width),
        reference=Pane("", _small(frame.reference), box.cut(frame.reference)),
        systems=tuple(panes),
    )


def frame_numbers(frame: FramePixels, label: str) -> tuple[float, float]:
    """PSNR and SSIM of a system's frame: the ledger's, else of the kept 8-bit frame; NaN where SSIM has none."""
    window, position = frame.chosen.window, frame.chosen.position
    made = frame.made[label]
    psnr, ssim = window.psnr.get(label), window.ssim.get(label)
    return (
        frame_psnr(frame.reference, made) if psnr is None else float(psnr[position]),
        frame_ssim(frame.reference, made) if ssim is None else float(ssim[position]),
    )


def _small(frame: np.ndarray) -> np.ndarray:
    return np.rint(_reduced(frame.astype(np.float64))).astype(np.uint8)


def _reduced(picture: np.ndarray) -> np.ndarray:
    """Means over squares of pixels, no side longer than :data:`LONGEST_SIDE`; a rest at the edge is cut off."""
    factor = math.ceil(max(picture.shape[:2]) / LONGEST_SIDE)
    height, width = (side // factor for side in picture.shape[:2])
    cut = picture[: height * factor, : width * factor]
    return cut.reshape(height, factor, width, factor, *picture.shape[2:]).mean((1, 3))


def _caption(place: Place, frames: Sequence[FramePixels], limit: float) -> str:
    num_systems = len(frames[0].made)
    windows = [frame.chosen.window for frame in frames]
    unmeasured = any(label not in values for w in windows for values in (w.psnr, w.ssim) for label in frames[0].made)
    return (
        f"Frames of kept clips {place.words}, by rule over {num_systems} system{'s' * (num_systems > 1)}, "
        "each of another clip as far as there are some: "
        + "; ".join(f"{frame.chosen.rule}: {RULES[frame.chosen.rule]}" for frame in frames)
        + ". Below each frame, a quarter of its sides where the systems "
        + ("vary most" if num_systems > 1 else "differ most from the reference")
        + ", and the absolute difference to the reference: mean of R, G and B in 8-bit levels, on one scale up to "
        f"{limit:g}. PSNR and SSIM are those of the whole frame"
        + (", from the kept 8 bits where the run has none." if unmeasured else ".")
    )


def _caption_of_others(place: Place) -> str:
    return f"The frames of the strip before by other systems {place.words}: the same parts, the same scale of errors."
