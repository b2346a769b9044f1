"""What is drawn without the colour of a system, and how a system is drawn in its own."""

from __future__ import annotations

from typing import Any

from ..identity import Identity

GREY = "#666666"
"""Text of second rank, and lines that stand for no system."""

LIGHT_GREY = "#D9D9D9"
"""Grids."""

PALE = "#C4C4C4"
"""Systems of other panels, behind those of a panel."""


def line_style(identity: Identity) -> dict[str, Any]:
    """Colour and dash of a system's line, as matplotlib takes them."""
    return {"color": identity.colour, "linestyle": (0, identity.dash) if identity.dash else "-"}


def marker_style(identity: Identity) -> dict[str, Any]:
    """A system's marker, as matplotlib takes it; hollow where its figures are published."""
    return {
        "marker": identity.marker,
        "markeredgecolor": identity.colour,
        "markerfacecolor": "white" if identity.is_published else identity.colour,
        "markeredgewidth": 0.8,
    }
