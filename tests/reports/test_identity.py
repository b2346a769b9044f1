"""Identities of systems: unique names, and looks that can be told apart with any eyes and in print without colour."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from figure_builder import make_figure
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab
from toklab.reports.identity import DASHES, HUES, LIGHTNESSES, MARKERS, Identity, family_of, identify
from toklab.reports.published.literature import vidtok_table1
from toklab.reports.schema import Figure

EYES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "grey": ((0.2126, 0.7152, 0.0722),) * 3,
}
"""Matrices for linear RGB. The first two are those of Machado et al., "A Physiologically-based Model for Simulation of
Color Vision Deficiency" (2009), at severity 1."""
TELLABLE = 10.0
"""CIEDE2000 from which two colours of small marks are told apart with ease."""


def figure(system: str, regularizer: str = "KL - 4chn", label: str = "", group: str = "continuous-4") -> Figure:
    label = label or f"{system} {regularizer}"
    return make_figure(
        tokenizer=label.partition(" (steps")[0], system=system, label=label, regularizer=regularizer, group=group
    )


def seen_by(colour: str, eyes: str) -> np.ndarray:
    """A colour in CIELAB as somebody sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(EYES[eyes]) @ linear, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


def told_apart(first: Identity, second: Identity, eyes: str) -> bool:
    """Whether two marks differ to the eye: by shape, or by what is left of their colours."""
    if first.marker != second.marker:
        return True
    return float(deltaE_ciede2000(seen_by(first.colour, eyes), seen_by(second.colour, eyes))) >= TELLABLE


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("sizes", [(1,) * 30, (30,), (15, 15), (8, 7, 5, 4, 3, 2, 1)])
def test_any_two_of_thirty_systems_can_be_told_apart(sizes: tuple[int, ...], eyes: str) -> None:
    figures = [figure(f"S{n}", f"KL - {i}chn") for n, size in enumerate(sizes) for i in range(size)]
    found = list(identify(figures).values())
    assert len(found) == 30
    alike = [(a.short, b.short) for a, b in itertools.combinations(found, 2) if not told_apart(a, b, eyes)]
    assert alike == []


@pytest.mark.parametrize("eyes", EYES)
def test_two_lightnesses_differ_whatever_their_hues(eyes: str) -> None:
    seen = [[seen_by(hue[level], eyes) for hue in HUES] for level in range(len(LIGHTNESSES))]
    for first, second in itertools.combinations(seen, 2):
        assert min(float(deltaE_ciede2000(a, b)) for a in first for b in second) >= TELLABLE


def test_the_shades_of_a_hue_have_the_lightnesses_that_are_named() -> None:
    for hue in HUES:
        found = [rgb2lab(np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) / 255)[0] for c in hue]
        assert found == pytest.approx(LIGHTNESSES, abs=1.0)


def test_families_share_a_hue_and_variants_differ_in_marker_and_lightness() -> None:
    figures = [figure(f"{family} {size}") for family in ("A", "B") for size in ("small", "base", "large")]
    found = identify(figures)
    for family in ("A", "B"):
        members = [identity for identity in found.values() if identity.family == family]
        (hue,) = {hue for hue in HUES for identity in members if identity.colour in hue}
        assert {identity.colour for identity in members} == set(hue)
        assert len({identity.marker for identity in members}) == 3


def test_systems_that_share_a_colour_have_other_dashes() -> None:
    found = list(identify([figure("A", f"KL - {i}chn") for i in range(12)]).values())
    assert len({(identity.colour, identity.dash) for identity in found}) == 12
    assert {identity.dash for identity in found} == set(DASHES)


def test_names_have_no_more_in_them_than_tells_them_apart() -> None:
    figures = [
        figure("CDT (small)"),
        figure("VidTok", "KL - 4chn"),
        figure("VidTok", "FSQ - 4,096", group="discrete"),
        figure("Bicubic", "resize", "bicubic-4chn"),
        figure("Bicubic", "resize", "bicubic-8x-8chn", "continuous-8-8x"),
        figure("H.264", "codec", "h264-4096", "discrete"),
        figure("H.264", "codec", "h264-32768", "discrete"),
        figure("Wan", "KL - 4chn", "wan (steps=2)"),
    ]
    names = {identity.label: identity.short for identity in identify(figures).values()}
    assert names == {
        "CDT (small) KL - 4chn": "CDT (small)",
        "VidTok KL - 4chn": "VidTok KL-4chn",
        "VidTok FSQ - 4,096": "VidTok FSQ-4,096",
        "bicubic-4chn": "Bicubic 4chn",
        "bicubic-8x-8chn": "Bicubic 8chn 8×",
        "h264-4096": "H.264 4096",
        "h264-32768": "H.264 32768",
        "wan (steps=2)": "Wan (steps=2)",
    }


@given(st.lists(st.tuples(*(st.sampled_from("ab") for _ in range(4))), min_size=1, max_size=12), st.randoms())
def test_names_are_unique_and_the_order_decides_nothing(rows: list[tuple[str, ...]], shuffle: random.Random) -> None:
    figures = [
        figure(system, regularizer, f"{label}{n}", f"continuous-{8 if group == 'a' else 16}")
        for n, (system, regularizer, label, group) in enumerate(rows)
    ]
    found = identify(figures)
    assert len({identity.short for identity in found.values()}) == len(figures)
    shuffle.shuffle(figures)
    assert dict(identify(figures)) == dict(found)


def test_a_setting_that_all_have_that_take_it_is_no_part_of_short_names() -> None:
    sampled = "(posterior=sample,seed=42)"
    rows = [("A", "KL - 4chn", f"A {sampled}"), ("B", "KL - 4chn", f"B {sampled}"), ("C", "AE - 4chn", "C")]
    figures = [replace(figure(*row), tokenizer=row[0]) for row in rows]
    assert [identity.short for identity in identify(figures).values()] == ["A", "B", "C"]
    assert identify(figures)[f"A {sampled}"].long == f"A {sampled}, KL - 4chn"
    other = replace(figure("D", label="D"), tokenizer="D")
    shorts = [identity.short for identity in identify([*figures, other]).values()]
    assert shorts == [f"A {sampled}", f"B {sampled}", "C", "D"]
    (alone,) = identify(figures[:1]).values()
    assert alone.short == f"A {sampled}"


def test_a_published_system_looks_like_the_measured_one_but_hollow() -> None:
    published = vidtok_table1()
    found = identify([figure("VidTok"), figure("Wan"), *published])
    printed = found.published["VidTok KL - 4chn"]
    assert printed.short == "VidTok KL-4chn †"
    assert printed.is_published
    ours = found["VidTok KL - 4chn"]
    assert (printed.colour, printed.marker) == (ours.colour, ours.marker)
    assert printed.dash not in DASHES
    assert found.of(published[0]) is found.published[published[0].label]
    assert set(found) == {"VidTok KL - 4chn", "Wan KL - 4chn"}


@pytest.mark.parametrize(
    ("system", "family"),
    [
        ("VidTok (small)", "VidTok"),
        ("CDT-small", "CDT"),
        ("MAGVIT-v2, 8x", "MAGVIT-v2"),
        ("Cosmos-CV tiny", "Cosmos-CV"),
        ("(odd)", "(odd)"),
    ],
)
def test_the_family_is_what_a_name_begins_with(system: str, family: str) -> None:
    assert family_of(system) == family


def test_there_are_thirty_six_marks_without_colour() -> None:
    assert len(set(MARKERS)) * len(LIGHTNESSES) >= 36
