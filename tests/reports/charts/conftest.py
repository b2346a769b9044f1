"""Systems of charts, and what holds for every drawing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import pytest
from matplotlib.figure import Figure as Drawing
from matplotlib.text import Text
from toklab.reports.charts.pictures import PNG_DPI
from toklab.reports.identity import Identities, identify
from toklab.reports.schema import Figure

SMALLEST_TEXT = 6.0
"""Points."""


@pytest.fixture
def systems(figure: Callable[..., Figure]) -> Callable[..., Identities]:
    """Identities of labels, which are names of systems, too; or of labels by group."""

    def build(labels: Sequence[str] | Mapping[str, str]) -> Identities:
        groups = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, "continuous-4")
        return identify([figure(system=label, tokenizer=label, group=group) for label, group in groups.items()])

    return build


@pytest.fixture
def groups() -> dict[str, str]:
    """Nine systems of three groups, with names that nobody has room for."""
    kinds = ("discrete", "continuous-4", "continuous-16")
    return {f"{kind} {n} {'long ' * 30 * (n == 2)}name".strip(): kind for kind in kinds for n in range(3)}


@pytest.fixture
def assert_printable() -> Callable[[Drawing], None]:
    """Whether all text of a drawing is large enough, inside of it, and apart from other text."""

    def check(drawing: Drawing) -> None:
        # As the files are: fewer pixels would round the widths of letters.
        drawing.set_dpi(PNG_DPI)
        drawing.draw_without_rendering()
        renderer = drawing.canvas.get_renderer()  # pyright: ignore[reportAttributeAccessIssue]
        assert drawing.get_size_inches()[0] in (3.3, 6.9)
        beyond = _ticks_beyond(drawing)
        texts = [text for text in drawing.findobj(Text) if text.get_visible() and text.get_text().strip()]
        boxes = []
        for text in texts:
            assert float(text.get_fontsize()) >= SMALLEST_TEXT, text.get_text()
            box = text.get_window_extent(renderer)
            if text in beyond:
                continue
            assert box.x0 >= -1, text.get_text()
            assert box.x1 <= drawing.bbox.x1 + 1, text.get_text()
            assert box.y0 >= -1, text.get_text()
            assert box.y1 <= drawing.bbox.y1 + 1, text.get_text()
            boxes.append((text.get_text(), box))
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            up = min(a.y1, b.y1) - max(a.y0, b.y0)
            # Boxes have room for descenders that few letters need.
            assert min(across, up) < 0.025 * PNG_DPI, (one, other)

    return check


def _ticks_beyond(drawing: Drawing) -> set[Text]:
    """Labels of ticks beyond the limits of their axes, which aren't drawn."""
    found = set()
    for canvas in drawing.axes:
        for axis in (canvas.xaxis, canvas.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    found |= {tick.label1, tick.label2}
    return found
