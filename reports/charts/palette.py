"""Colours and markers of all charts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from matplotlib.colors import to_rgb

COLOURS = ("#332288", "#CC6677", "#117733", "#AA4499", "#44AA99", "#882255", "#999933", "#88CCEE", "#DDCC77", "#000000")
"""Paul Tol's "muted" scheme, distinct with any colour vision, and black."""

MARKERS = "osD^vPX*"
"""Markers of the rows of one system, so that colour alone decides nothing."""

GREY = "#777777"
"""Text of second rank."""

LIGHT_GREY = "#CFCFCF"
"""Grids."""


def system_colours(systems: Iterable[str], panels: Sequence[Collection[str]]) -> dict[str, str]:
    """A colour for each system, the same in all panels.

    Colours are given in the order of ``systems``. Once they are used up, a system takes one that no other system of its
    panels has, and the one that is used least if there is none.
    """
    colours: dict[str, str] = {}
    for system in dict.fromkeys(systems):
        beside = {other for panel in panels if system in panel for other in panel}
        taken = [colours[other] for other in colours if other in beside]
        used = list(colours.values())
        colours[system] = min(COLOURS, key=lambda colour: (taken.count(colour), used.count(colour)))
    return colours


def shade(colour: str, variant: int) -> tuple[float, float, float]:
    """The colour itself, a darker, a lighter one, and so on around: for several rows of one system."""
    target, share = ((0.0, 0.0), (0.0, 0.4), (1.0, 0.4))[variant % 3]
    red, green, blue = (channel * (1 - share) + target * share for channel in to_rgb(colour))
    return (red, green, blue)
