from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import BboxImage
from matplotlib.text import Text
from toklab.reports.charts.pictures import INCHES, picture
from toklab.reports.charts.strips import MOST_SYSTEMS, Pane, StripFrame, draw_strip, error_map
from toklab.reports.identity import Identities, identify
from toklab.reports.schema import Figure

MakeFigure = Callable[..., Figure]


def strip_frames(labels: list[str], height: int = 24, width: int = 32, num_frames: int = 2) -> list[StripFrame]:
    """Frames of noise."""
    generator = np.random.default_rng(0)

    def frame() -> np.ndarray:
        return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)

    frames = []
    for number in range(num_frames):
        reference = frame()
        panes = [
            Pane(label, made := frame(), made[:6, :8], error_map(reference, made), 20.25 + number, 0.5)
            for label in labels
        ]
        title = f"Worst: {'long' * 60}.mp4, window 0, frame 1 of 17"
        frames.append(StripFrame(title, (0.75, 0.75, 0.25, 0.25), Pane("", reference, reference[:6, :8]), tuple(panes)))
    return frames


def named(figure: MakeFigure, systems: list[str]) -> Identities:
    """Identities of systems by these names, under labels s0, s1, …"""
    return identify([figure(system=name, tokenizer=f"s{i}", label=f"s{i}") for i, name in enumerate(systems)])


def test_the_error_map_is_the_mean_absolute_difference() -> None:
    generator = np.random.default_rng(0)
    reference, made = generator.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    expected = np.abs(made.astype(float) - reference.astype(float)).mean(2)
    np.testing.assert_allclose(error_map(reference, made), expected, atol=1e-12)
    assert error_map(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)) == 255


ODD = ["W" * 200, "a $b_c$ \\%&#{}", "トークナイザー " * 9, "one two three four five six seven eight nine ten", "‮evil"]


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
@pytest.mark.parametrize(("systems", "shape"), [(ODD, (24, 32)), (ODD[:1], (32, 18)), (["VidTok"] * 3, (9, 99))])
def test_names_and_numbers_stay_on_the_canvas_and_apart(
    figure: MakeFigure, systems: list[str], shape: tuple[int, int]
) -> None:
    labels = [f"s{number}" for number in range(len(systems))]
    groups = dict(zip(labels, ["Group " * 30, "Group " * 30, "B", "B", "C"], strict=False))
    drawing = draw_strip(strip_frames(labels, *shape), named(figure, systems), groups, 50)
    assert drawing.get_figwidth() == INCHES["page"]
    renderer = FigureCanvasAgg(drawing).get_renderer()
    drawing.draw(renderer)
    texts = [text for text in drawing.findobj(Text) if isinstance(text, Text) and text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    images = [image.bbox.get_points().ravel() for image in drawing.findobj(BboxImage) if isinstance(image, BboxImage)]
    width, height = drawing.bbox.width, drawing.bbox.height
    for words, box in boxes:
        assert box.x0 >= 0, words
        assert box.y0 >= 0, words
        assert box.x1 <= width, words
        assert box.y1 <= height, words
    for number, (words, one) in enumerate(boxes):
        for other_words, other in boxes[number + 1 :]:
            overlap = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(overlap) < 1.5, (words, other_words)
        for left, bottom, right, top in images:
            overlap = min(one.x1, right) - max(one.x0, left), min(one.y1, top) - max(one.y0, bottom)
            assert min(overlap) < 1.5, words
    assert sum(words == "20.25 dB, 0.500" for words, _ in boxes) == len(systems)


def test_panes_show_their_pixels_and_errors_share_a_scale(figure: MakeFigure) -> None:
    labels = [f"s{number}" for number in range(MOST_SYSTEMS)]
    frames = strip_frames(labels)
    drawing = draw_strip(frames, named(figure, labels), dict.fromkeys(labels, "G"), 50)
    images = [image for image in drawing.findobj(BboxImage) if isinstance(image, BboxImage)]
    maps = [image for image in images if np.asarray(image.get_array()).ndim == 2]
    assert {image.get_clim() for image in maps} == {(0, 50)}
    shown = [np.asarray(image.get_array()) for image in images]
    for frame in frames:
        for pane in (frame.reference, *frame.systems):
            wanted = [pane.frame, pane.crop] + ([] if pane.error is None else [pane.error])
            for pixels in wanted:
                assert sum(each.shape == pixels.shape and bool((each == pixels).all()) for each in shown) == 1
    # Nothing is empty: each frame has a scale where the reference has no error.
    assert len(images) == len(frames) * (3 * (len(labels) + 1))


@pytest.mark.slow
def test_a_strip_is_the_same_bytes_twice(figure: MakeFigure) -> None:
    def files() -> list[bytes]:
        drawing = draw_strip(strip_frames(["s0"], num_frames=1), named(figure, ["A"]), {}, 5)
        return [picture(drawing, kind) for kind in ("png", "pdf", "svg")]

    assert files() == files()
