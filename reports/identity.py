"""How a system appears in a report: its names, colour, marker and dash, chosen once and used by everything in it.

Families of systems share a hue. Variants of a family differ in lightness and marker, and no marker comes twice at one
lightness as long as there are enough: so that systems can be told apart without seeing colours.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from .schema import Figure, group_order, group_title

Dash = tuple[float, ...]
"""Lengths of strokes and gaps in line widths, as matplotlib and SVG take them; empty for a solid line."""

LIGHTNESSES = (25, 47, 68)
"""CIELAB L* of the shades of a hue, dark to light."""

HUES = (
    ("#003C73", "#0070CE", "#74A5FF"),
    ("#6E2100", "#B75127", "#F7875A"),
    ("#00443E", "#007E73", "#0BBAAB"),
    ("#5F1A75", "#9953AF", "#D489EA"),
    ("#3C3E00", "#707401", "#A9AB39"),
    ("#7C0024", "#C53F51", "#FF7E88"),
    ("#014618", "#068133", "#54BA67"),
    ("#790043", "#C13C7A", "#FF79B1"),
    ("#513601", "#956702", "#D49C3B"),
    ("#004158", "#0178A0", "#00B2EB"),
)
"""Hues in CIELAB, each at the three lightnesses, in the order in which families take them."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h")
"""Shapes, by their names in matplotlib."""

DASHES: tuple[Dash, ...] = ((), (5.0, 1.6), (3.0, 1.2, 1.0, 1.2), (7.0, 1.2, 1.0, 1.2, 1.0, 1.2))
"""Of measured systems, in the order in which systems that share hue and lightness take them."""

PUBLISHED_DASH: Dash = (1.2, 1.4)
"""Of systems whose figures are published; their markers are hollow."""

OF_POSTERIORS = ("posterior", "seed")
"""Settings that only tokenizers with a Gaussian posterior take."""


@dataclass(frozen=True)
class Identity:
    """One system: a tokenizer under one setting, measured or published."""

    label: str
    """As in :class:`~.schema.Figure`."""
    short: str
    """Name in charts, unique in the report: ``VidTok (small) KL-4chn``."""
    long: str
    """Name with everything that distinguishes it, as a table prints it in several columns."""
    family: str
    """Whose hue it has: ``VidTok``."""
    colour: str
    """``#RRGGBB``."""
    lightness: int
    """CIELAB L* of the colour."""
    marker: str
    dash: Dash
    is_published: bool = False
    """Its marker is hollow, and its name ends in a dagger."""
    group: str = ""
    """What it is ranked within, as in :class:`~.schema.Figure`."""


class Identities(Mapping[str, Identity]):
    """The identities of a report's measured systems by their labels, and those of published ones beside them."""

    def __init__(self, measured: Sequence[Identity], published: Sequence[Identity] = ()):
        self._measured = {identity.label: identity for identity in measured}
        self._published = {identity.label: identity for identity in published}

    def __getitem__(self, label: str) -> Identity:
        return self._measured[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._measured)

    def __len__(self) -> int:
        return len(self._measured)

    @property
    def published(self) -> Mapping[str, Identity]:
        """Those of published systems, by label."""
        return self._published

    def of(self, figure: Figure) -> Identity:
        """The identity of a figure's system; raises ``KeyError`` for a figure of another report."""
        return (self._published if figure.origin == "published" else self._measured)[figure.label]


def identify(figures: Sequence[Figure]) -> Identities:
    """Give every system of a report its identity; the order of the figures decides nothing.

    A published system takes colour and marker of the measured one that it is printed for, if there is one of the same
    system and regularizer.
    """
    sources: dict[tuple[bool, str], Figure] = {}
    for figure in figures:
        sources.setdefault((figure.origin == "published", figure.label), figure)
    ordered = sorted(sources.items(), key=lambda item: (item[0][0], _order(item[1])))
    names = dict(zip((key for key, _ in ordered), _short_names([source for _, source in ordered]), strict=True))
    families = list(dict.fromkeys(family_of(source.system) for _, source in ordered))
    looks = _Looks(families)
    found: dict[tuple[bool, str], Identity] = {}
    drawn: dict[tuple[str, str], Identity] = {}
    for (is_published, label), source in ordered:
        twin = drawn.get((source.system, source.regularizer)) if is_published else None
        colour, lightness, marker, dash = (
            looks.next(family_of(source.system)) if twin is None else (twin.colour, twin.lightness, twin.marker, ())
        )
        found[is_published, label] = identity = Identity(
            label=label,
            short=names[is_published, label] + (" †" if is_published else ""),
            long=", ".join(filter(None, (row_title(source), source.regularizer))),
            family=family_of(source.system),
            colour=colour,
            lightness=lightness,
            marker=marker,
            dash=PUBLISHED_DASH if is_published else dash,
            is_published=is_published,
            group=source.group,
        )
        if not is_published:
            drawn.setdefault((source.system, source.regularizer), identity)
    measured = [identity for identity in found.values() if not identity.is_published]
    return Identities(measured, [identity for identity in found.values() if identity.is_published])


def family_of(system: str) -> str:
    """The family that a system's name begins with: ``VidTok`` of ``VidTok (small)``, ``CDT`` of ``CDT-small``."""
    first = re.split(r"[\s(,]", system.strip(), maxsplit=1)[0]
    return re.sub(r"-[a-z]+$", "", first) or system


def row_title(source: Figure) -> str:
    """System, with its weights and settings where they aren't the usual ones: as the first column of a table."""
    return _title(source, frozenset())


def _title(source: Figure, left_out: Set[str]) -> str:
    settings = _written_settings(source)
    if not left_out.isdisjoint(_settings(source)):
        kept = ",".join(setting for setting in _settings(source) if setting not in left_out)
        settings = f"({kept})" if kept else ""
    random = "(random weights)" if source.weights.startswith("random") else ""
    return " ".join(filter(None, (source.system, random, settings)))


def _written_settings(source: Figure) -> str:
    return source.label.removeprefix(source.tokenizer).strip() if source.label != source.tokenizer else ""


def _settings(source: Figure) -> list[str]:
    """``steps=4`` and the like: what a label has in parentheses behind the tokenizer's name."""
    return _written_settings(source).removeprefix("(").removesuffix(")").split(",")


def _shared_settings(sources: Sequence[Figure]) -> set[str]:
    """Settings of posteriors that every one of several measured systems has that takes them."""
    takers = [set(_settings(s)) for s in sources if s.origin == "measured" and s.regularizer.startswith("KL")]
    shared = set.intersection(*takers) if len(takers) > 1 else set[str]()
    return {setting for setting in shared if setting.partition("=")[0] in OF_POSTERIORS}


class _Looks:
    """Gives out colours, markers and dashes, family by family."""

    def __init__(self, families: Sequence[str]):
        self._hues = {family: HUES[number % len(HUES)] for number, family in enumerate(families)}
        self._variants: Counter[str] = Counter()
        self._used: Counter[tuple[str, int]] = Counter()
        self._of_family: Counter[tuple[str, str]] = Counter()
        self._of_colour: Counter[str] = Counter()

    def next(self, family: str) -> tuple[str, int, str, Dash]:
        """Colour, lightness, marker and dash of the next variant of a family."""
        variant = self._variants[family]
        self._variants[family] += 1
        # The lightness that is this variant's turn, unless its markers are used up and others' aren't.
        marker, level = min(
            itertools.product(MARKERS, range(len(LIGHTNESSES))),
            key=lambda pair: (
                self._used[pair],
                (pair[1] - variant) % len(LIGHTNESSES),
                self._of_family[family, pair[0]],
                sum(self._used[pair[0], each] for each in range(len(LIGHTNESSES))),
                MARKERS.index(pair[0]),
            ),
        )
        colour = self._hues[family][level]
        dash = DASHES[self._of_colour[colour] % len(DASHES)]
        self._used[marker, level] += 1
        self._of_family[family, marker] += 1
        self._of_colour[colour] += 1
        return colour, LIGHTNESSES[level], marker, dash


def _order(source: Figure) -> tuple[object, ...]:
    return (group_order(source.group), source.system, _in_numbers(source.regularizer), _in_numbers(source.label))


def _in_numbers(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key by which ``4,096`` comes before ``32,768``."""
    parts = re.split(r"(\d+)", text.replace(",", ""))
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _short_names(sources: Sequence[Figure]) -> list[str]:
    """Names that are unique among measured and among published systems, with no more in them than that takes."""
    shared = _shared_settings(sources)
    names = [_title(source, shared) for source in sources]
    for distinguish in (_regularizers, _groups, rests_of_labels, _labels):
        alike: dict[tuple[str, str], list[int]] = {}
        for index, source in enumerate(sources):
            alike.setdefault((source.origin, names[index]), []).append(index)
        for members in alike.values():
            endings = distinguish([sources[index] for index in members])
            if len(set(endings)) > 1:
                for index, ending in zip(members, endings, strict=True):
                    names[index] = f"{names[index]} {ending}".rstrip()
    return names


def _regularizers(sources: Sequence[Figure]) -> list[str]:
    return [source.regularizer.replace(" - ", "-") for source in sources]


def _groups(sources: Sequence[Figure]) -> list[str]:
    titles = [group_title(source.group) for source in sources]
    return [title.replace("Continuous, ", "").replace(" channels", "chn").replace(" at ", " ") for title in titles]


def rests_of_labels(sources: Sequence[Figure]) -> list[str]:
    """What each label has beyond the beginning that all of them share, whole words alone."""
    words = [re.findall(r"[A-Za-z0-9.]+|.", source.label) for source in sources]
    together = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    num_shared = sum(1 for _ in together)
    return ["".join(each[num_shared:]) for each in words]


def _labels(sources: Sequence[Figure]) -> list[str]:
    return [source.label for source in sources]
