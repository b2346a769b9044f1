"""The viewer, in a browser: every pane shows the frame that is asked for, told by the number in its pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numbered_video import BLOCK, HEIGHT, WIDTH

pytestmark = pytest.mark.slow

LAST = 19

READ_NUMBERS = f"""
() => [...document.querySelectorAll("#viewer canvas")].map((canvas) => {{
  const pixels = canvas.getContext("2d").getImageData(0, {HEIGHT - BLOCK // 2}, {WIDTH}, 1).data;
  let number = 0;
  for (let bit = 0; bit < 8; bit++) number |= (pixels[4 * ({BLOCK} * bit + {BLOCK // 2})] > 127) << bit;
  return [canvas.dataset.pane, number];
}})
"""


@pytest.fixture
def viewer(open_page: Callable[..., Any], page_file: Path) -> Any:
    """The viewer of a system that has kept reconstructions, beside another one."""
    page = open_page(page_file)
    page.get_by_label("Beside", exact=True).select_option(label="Beta system 1")
    page.locator(".watch").first.click()
    wait_for(page, 0)
    return page


def wait_until(page: Any, condition: str) -> None:
    """Wait for an expression to hold; playwright's own waiting evaluates text, which the page's policy forbids."""
    for _ in range(3000):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"this never came to hold: {condition}")


def wait_for(page: Any, frame: int) -> None:
    """Wait until all panes have drawn a frame."""
    wait_until(
        page, f"[...document.querySelectorAll('#viewer canvas')].every((canvas) => canvas.dataset.frame === '{frame}')"
    )


def numbers(page: Any, frame: int) -> dict[str, int]:
    """The number that each pane shows."""
    wait_for(page, frame)
    return dict(page.evaluate(READ_NUMBERS))


def test_after_n_keys_all_panes_show_frame_n(viewer: Any) -> None:
    panes = numbers(viewer, 0)
    assert len(panes) == 3
    assert sum(pane.startswith("view") for pane in panes) == 2
    for presses in range(1, LAST + 1):
        viewer.keyboard.press("ArrowRight")
        assert numbers(viewer, presses) == dict.fromkeys(panes, presses)
        assert f"Frame {presses + 1} of 20" in viewer.locator("#viewer output").inner_text()
    viewer.keyboard.press("ArrowRight")
    assert set(numbers(viewer, LAST).values()) == {LAST}
    for _ in range(4):
        viewer.keyboard.press("ArrowLeft")
    assert set(numbers(viewer, LAST - 4).values()) == {LAST - 4}
    viewer.keyboard.press("Home")
    assert set(numbers(viewer, 0).values()) == {0}
    viewer.keyboard.press("End")
    assert set(numbers(viewer, LAST).values()) == {LAST}


def test_keys_belong_to_the_frames_after_a_choice_by_pointer_and_to_the_list_after_one_by_key(viewer: Any) -> None:
    systems = viewer.locator("#viewer").get_by_label("System", exact=True)
    systems.click()
    systems.select_option(index=1)
    viewer.keyboard.press("ArrowRight")
    assert set(numbers(viewer, 1).values()) == {1}
    systems.focus()
    viewer.keyboard.press("ArrowUp")
    assert viewer.evaluate("document.activeElement.dataset.control") == "first"


def test_keys_pressed_at_once_end_on_the_right_frame(viewer: Any) -> None:
    viewer.evaluate(
        """() => { for (let press = 0; press < 13; press++)
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true })); }"""
    )
    assert set(numbers(viewer, 13).values()) == {13}


LATE_PICTURES = """
const decode = HTMLImageElement.prototype.decode;
let number = 0;
HTMLImageElement.prototype.decode = function () {
  const wait = number++ < 1 ? 1500 : 0;
  return decode.call(this).then(() => new Promise((done) => setTimeout(done, wait)));
};
window.late = () => number;
"""
"""The first picture that a page reads is ready after all others."""


def test_pictures_that_come_late_do_not_overwrite_the_frame_that_is_shown(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file, script=LATE_PICTURES)
    page.locator(".watch").first.click()
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    assert set(numbers(page, 13).values()) == {13}
    assert page.evaluate("late()") > 1
    page.wait_for_timeout(2500)
    assert set(dict(page.evaluate(READ_NUMBERS)).values()) == {13}


@pytest.mark.parametrize("mode", ["s", "f"])
def test_slider_and_flicker_show_the_same_frame(viewer: Any, mode: str) -> None:
    viewer.keyboard.press(mode)
    for presses in range(1, 12):
        viewer.keyboard.press("ArrowRight")
        panes = numbers(viewer, presses)
        assert list(panes.values()) == [presses, presses]
        assert "reference" in panes


def test_flicker_by_hand_turns_one_over_the_other(viewer: Any) -> None:
    viewer.keyboard.press("f")
    stage, seen = viewer.locator(".stage"), []
    for _ in range(3):
        viewer.keyboard.press("f")
        seen.append(stage.get_attribute("data-phase"))
        above = viewer.locator(".stage .above")
        assert above.is_visible() == (seen[-1] == "1")
    assert seen in (["1", "0", "1"], ["0", "1", "0"])


def test_the_slider_divides_the_picture_where_it_is_put(viewer: Any) -> None:
    viewer.keyboard.press("s")
    viewer.locator(".stage input[type=range]").focus()
    viewer.keyboard.press("Home")
    assert viewer.evaluate("document.querySelector('.stage').style.getPropertyValue('--split')") == "0%"
    assert set(numbers(viewer, 0).values()) == {0}
    viewer.keyboard.press("ArrowRight")
    assert viewer.evaluate("document.querySelector('.stage').style.getPropertyValue('--split')") == "1%"
    assert set(numbers(viewer, 0).values()) == {0}


def test_errors_are_those_of_the_frame_that_is_shown(viewer: Any) -> None:
    viewer.keyboard.press("e")
    for _ in range(9):
        viewer.keyboard.press("ArrowRight")
    wait_for(viewer, 9)
    # Systems 0 and 1 are darker than the reference by 0 and 8 of 255; a quarter of the range is white.
    grey = viewer.evaluate(
        """() => [...document.querySelectorAll('#viewer canvas[data-pane^=error]')].map(
        (canvas) => canvas.getContext("2d").getImageData(64, 20, 1, 1).data[0])"""
    )
    assert sorted(grey) == pytest.approx([0, 8 * 4 * 2 / 3], abs=5)
    assert "lossless frames" in viewer.locator("#viewer").inner_text()


def test_strips_show_the_values_of_the_ledger(viewer: Any) -> None:
    for _ in range(6):
        viewer.keyboard.press("ArrowRight")
    wait_for(viewer, 6)
    strips = viewer.locator(".strip").all()
    headings = [strip.locator(".heading").inner_text() for strip in strips]
    assert len(strips) == 2
    assert "31.50 dB" in headings[0]
    assert "32.50 dB" in headings[0]
    assert headings[1].count("0.8940") == 2
    strips[0].locator("> svg").click()
    assert viewer.locator("#viewer output").inner_text() != "Frame 7 of 20"


def test_zoom_holds_for_all_panes(viewer: Any) -> None:
    for _ in range(2):
        viewer.keyboard.press("+")
    transforms = viewer.evaluate(
        "() => [...document.querySelectorAll('#viewer canvas')].map((canvas) => getComputedStyle(canvas).transform)"
    )
    assert len(transforms) == 3
    first, *others = ([float(each) for each in text[7:-1].split(",")] for text in transforms)
    assert first[:4] == [2.25, 0, 0, 2.25]
    for other in others:
        assert other == pytest.approx(first, abs=0.5)
    viewer.keyboard.press("0")
    assert viewer.locator(".transport").inner_text().count("100 %") == 1


def test_it_says_that_copies_are_compressed_and_closes(viewer: Any) -> None:
    text = viewer.locator("#viewer").inner_text()
    assert "View copies are compressed (WebP, quality 80); every figure was measured on lossless frames." in text
    viewer.keyboard.press("Escape")
    assert not viewer.locator("#viewer").is_visible()
    assert viewer.evaluate("document.activeElement.className") == "watch"


def test_playing_goes_through_the_frames(viewer: Any) -> None:
    viewer.keyboard.press("Space")
    wait_until(viewer, "document.querySelector('#viewer canvas').dataset.frame !== '0'")
    viewer.keyboard.press("Space")
    frame = int(viewer.locator("#viewer output").inner_text().split()[1]) - 1
    assert set(numbers(viewer, frame).values()) == {frame}
