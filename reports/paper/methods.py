"""How the figures came about, as paragraphs that a paper can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..schema import MIN_BOOTSTRAP_VIDEOS, MIN_VIDEOS, Figure
from ..tables.table import is_timing
from .bibliography import Bibliography
from .content import Cite, Paragraph, Prose
from .facts import RunFacts

_RESIZES = {
    "short-side-to-height": "the short side is resized to {height} pixels",
    "exact": "frames are resized to {height}×{width} pixels",
    "cover": "frames are resized until they just cover {height}×{width} pixels",
    "none": "frames aren't resized",
}
_CROPS = {
    "center": "the centre is cropped",
    "center-floor": "the centre is cropped, its corner rounded down",
    "top-left": "the upper left corner is kept",
}
SPEED_INTERVALS = (
    "Speeds are medians of repetitions; their 95 % intervals are those of a median, between two of the repetitions, "
    "and cover the repetitions alone."
)


def methods_paragraphs(
    figures: Sequence[Figure],
    provenance: Mapping[str, str],
    facts: RunFacts,
    bibliography: Bibliography,
    *,
    has_rate_deltas: bool = False,
) -> tuple[Paragraph, ...]:
    """Systems, data and protocol, metrics, statistics, implementation; those there is something to say of.

    Args:
        figures: measured ones; published ones are left out.
        provenance: names and values, nested names joined by dots: ``protocols.HASH.height``, ``versions.torch``.
        facts: the metrics' conventions.
        bibliography: takes what is cited.
        has_rate_deltas: whether the paper has Bjøntegaard deltas.
    """
    measured = [figure for figure in figures if figure.origin == "measured"]
    written = [
        Paragraph("Systems", _systems(measured, bibliography)),
        Paragraph("Data and protocol", _protocols(measured, provenance, bibliography)),
        Paragraph("Metrics", _metrics(measured, facts, bibliography)),
        Paragraph("Statistics", _statistics(measured, bibliography, has_rate_deltas)),
        Paragraph("Implementation", _implementation(provenance, bibliography)),
        Paragraph("What is missing", _missing(measured)),
    ]
    return tuple(paragraph for paragraph in written if paragraph.text)


def protocol_in_words(fields: Mapping[str, str]) -> str:
    """A protocol as a sentence without its end; empty if its fields aren't those of a protocol."""
    needed = ("sample_fps", "chunk_size", "tail", "resize", "crop", "resize_filter")
    if any(name not in fields for name in needed):
        return ""
    given = {name: value for name, value in fields.items() if value != "None"}
    fps = given["sample_fps"]
    taken = "all frames are taken" if fps == "native" else f"every round(fps/{_number(fps)})-th frame is taken"
    parts = [taken + (f", at most {given['max_frames']} of a video" if "max_frames" in given else "")]
    chunk = int(given["chunk_size"])
    if not chunk:
        parts.append("each frame is measured by itself")
    elif given.get("long_video") == "True":
        parts.append(f"each video is one window of a multiple of {chunk} frames, and one more for causal tokenizers")
    else:
        starts = f"that start {given['stride']} frames apart" if "stride" in given else "without overlap"
        parts.append(f"windows have {chunk + 1} frames ({chunk} for tokenizers that aren't causal), {starts}")
        tail = "repeats its last frame, which is scored too" if given["tail"] == "repeat" else "is left out"
        parts.append(f"a short last window {tail}")
    if given.get("subsampling", "1") != "1":
        parts.append(f"of each window the frames 0, {given['subsampling']}, … alone are seen and scored")
    if "feature_frames" in given:
        parts.append(f"distances between sets of features take one feature from each {given['feature_frames']} frames")
    parts.append(_size(given))
    rounded = given.get("round_to_uint8") == "True"
    parts.append("reference and reconstruction are rounded to 8 bits" if rounded else "nothing is rounded to 8 bits")
    if "colour_matrix" in given:
        parts.append(f"YCbCr of unnamed matrix is taken for {given['colour_matrix']}")
    return "; ".join(parts)


def _number(text: str) -> str:
    return text.removesuffix(".0")


def _size(given: Mapping[str, str]) -> str:
    if "size_multiple" in given:
        return f"frames keep their size, cropped to multiples of {given['size_multiple']} pixels"
    height, width = given.get("height", "?"), given.get("width", "?")
    resize = _RESIZES.get(given["resize"], given["resize"]).format(height=height, width=width)
    crop = _CROPS.get(given["crop"], given["crop"])
    filtered = f" ({given['resize_filter']}{', antialiased' if given.get('antialias') == 'True' else ''})"
    return f"{resize}{filtered if given['resize'] != 'none' else ''} and {crop} to {height}×{width}"


def _systems(figures: Sequence[Figure], bibliography: Bibliography) -> Prose:
    labels: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        labels.setdefault(figure.system, {}).setdefault(figure.label, figure)
    if not labels:
        return ()
    total = sum(map(len, labels.values()))
    text: list[str | Cite] = [f"We measure {total} tokenizer{'s' * (total > 1)}: "]
    for number, (system, variants) in enumerate(labels.items()):
        text.append(", " if number else "")
        text.append(f"{system}")
        cites = [cite for figure in variants.values() if (cite := bibliography.system(figure))]
        keys = tuple(dict.fromkeys(key for cite in cites for key in cite.keys))
        text += [" ", Cite(keys)] if keys else []
        text.append(f" in {len(variants)} variants" if len(variants) > 1 else "")
    text.append(".")
    random = [f.label for variants in labels.values() for f in variants.values() if f.weights.startswith("random")]
    if random:
        text.append(f" Random weights, so that their figures test the harness alone: {', '.join(random)}.")
    return tuple(part for part in text if part)


def _protocols(figures: Sequence[Figure], provenance: Mapping[str, str], bibliography: Bibliography) -> Prose:
    text: list[str | Cite] = []
    for dataset, protocol, digest in dict.fromkeys((f.dataset, *f.protocol_key) for f in figures if f.dataset):
        here = [f for f in figures if (f.dataset, *f.protocol_key) == (dataset, protocol, digest) and f.is_available]
        text += [" " if text else "", f"On {dataset}", *_cited(bibliography.dataset(dataset))]
        text += [f" we follow the protocol {protocol}", *_cited(bibliography.protocol(protocol)), f" (hash {digest})"]
        prefix = f"protocols.{digest}."
        fields = {name.removeprefix(prefix): value for name, value in provenance.items() if name.startswith(prefix)}
        words = protocol_in_words(fields)
        text.append(f": {words}." if words else ".")
        counts: dict[str, int] = {}
        for figure in here:
            if figure.counted and figure.count:
                counts[figure.counted] = max(figure.count, counts.get(figure.counted, 0))
        videos = max((figure.num_sources for figure in here), default=0)
        numbers = [f"{videos:,} video{'s' * (videos > 1)}"] if videos else []
        numbers += [f"{count:,} {kind}" for kind, count in counts.items()]
        text.append(f" Figures rest on up to {', '.join(numbers)}." if numbers else "")
    return tuple(part for part in text if part)


def _metrics(figures: Sequence[Figure], facts: RunFacts, bibliography: Bibliography) -> Prose:
    text: list[str | Cite] = []
    titles = {figure.metric: figure.title for figure in figures if figure.is_available}
    for metric, title in titles.items():
        convention = facts.conventions.get(metric, "")
        cite = bibliography.metric(metric)
        if not convention and cite is None:
            continue
        named = title if title == metric else f"{title} ({metric})"
        text += [" " if text else "", named, *_cited(cite)]
        text.append(f": {convention.rstrip('.')}." if convention else ".")
    return tuple(part for part in text if part)


def _statistics(figures: Sequence[Figure], bibliography: Bibliography, has_rate_deltas: bool) -> Prose:
    text: list[str | Cite] = []
    speeds = [figure for figure in figures if is_timing(figure)]
    others = [figure for figure in figures if not is_timing(figure)]
    if any(figure.has_interval for figure in others):
        text += [
            "Source videos are the independent units. Intervals are 95 % intervals over videos: bootstrap-t",
            *_cited(bibliography.method("bootstrap")),
            f" from {MIN_BOOTSTRAP_VIDEOS} videos on, Student's t with {MIN_VIDEOS} to {MIN_BOOTSTRAP_VIDEOS - 1}, "
            "none with fewer. They cover the choice of videos alone.",
        ]
    if any(figure.has_interval for figure in speeds):
        text.append(f" {SPEED_INTERVALS}")
    if any(figure.rank for figure in others):
        text.append(
            " Systems of a group are ranked by paired differences between videos on shared windows, at 5 % for each "
            "metric, with one critical value over all pairs of the group; systems that can't be told from the best "
            "count as best."
        )
    if any(figure.rank for figure in speeds):
        text.append(
            " Speeds of a group are ranked by the median of paired ratios of repetitions in turn, at 5 % for each "
            "metric over all pairs of the group."
        )
    if has_rate_deltas:
        text += [" Rate curves are compared by Bjøntegaard deltas", *_cited(bibliography.method("bd-rate")), "."]
    return (text[0].lstrip(), *text[1:]) if text and isinstance(text[0], str) else tuple(text)


def _implementation(provenance: Mapping[str, str], bibliography: Bibliography) -> Prose:
    versions = {name.removeprefix("versions."): v for name, v in provenance.items() if name.startswith("versions.")}
    if not versions:
        return ()
    text: list[str | Cite] = [
        f"All figures come from toklab {versions.pop('toklab', '')}".rstrip(),
        *_cited(bibliography.method("toklab")),
    ]
    named = [f"{name} {version}" for name, version in versions.items()]
    text.append(f", with {', '.join(named)}" if named else "")
    text.append(f" and FFmpeg {provenance['ffmpeg']}" if provenance.get("ffmpeg") else "")
    text.append(f", on {provenance['machines']}" if provenance.get("machines") else "")
    text.append(".")
    return tuple(part for part in text if part)


def _missing(figures: Sequence[Figure]) -> Prose:
    reasons = dict.fromkeys((f.title, f.note or "could not be computed", f.hint) for f in figures if not f.is_available)
    sentences = [f"{title}: {note}{f'; to measure it: {hint}' if hint else ''}." for title, note, hint in reasons]
    return (" ".join(sentences),) if sentences else ()


def _cited(cite: Cite | None) -> list[str | Cite]:
    return [" ", cite] if cite else []
