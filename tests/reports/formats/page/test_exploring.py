"""Tables and charts of the page, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_reports import KEEP_COMMAND, bundled, made_figures, made_report, value_of, write_page
from toklab.reports.formats.interface import Report
from toklab.reports.tables.plain import PlainTable

from .conftest import SYSTEMS

pytestmark = pytest.mark.slow

HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script><!--\'"&amp;${7*7}`'


def shown_systems(page: Any) -> list[int]:
    """The systems in the table, from top to bottom, by the numbers in their names."""
    names = page.locator(".results tbody th .name").all_inner_texts()
    return [int(name.split("system ")[1].split()[0]) for name in names]


def heading(page: Any, title: str) -> Any:
    return page.locator(".results thead button", has_text=title)


def ranked(metric: str, *, largest_first: bool) -> list[int]:
    known = [system for system in range(SYSTEMS) if (metric, system) != ("flicker", 2)]
    missing = [system for system in range(SYSTEMS) if system not in known]
    return sorted(known, key=lambda system: value_of(metric, system), reverse=largest_first) + missing


def test_headings_sort_best_first_then_worst_first_and_what_is_missing_last(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file)
    page.get_by_label("Group by", exact=True).select_option(label="nothing")
    before = shown_systems(page)
    assert sorted(before) == list(range(SYSTEMS))
    for metric, title, best_is_largest in (("psnr", "PSNR", True), ("flicker", "Flicker", False)):
        for largest_first in (best_is_largest, not best_is_largest):
            heading(page, title).click()
            assert shown_systems(page) == ranked(metric, largest_first=largest_first)
            order = "descending" if largest_first else "ascending"
            assert page.locator(".results thead th[aria-sort]").get_attribute("aria-sort") == order
        heading(page, title).click()
        assert shown_systems(page) == before
        assert page.locator(".results thead th[aria-sort]").count() == 0


def test_the_whole_heading_sorts_and_rows_name_their_kind_where_kinds_are_mixed(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file)
    kinds = page.locator(".results tbody th .kind")
    assert kinds.count() == SYSTEMS
    assert not kinds.first.is_visible()
    page.get_by_label("Group by", exact=True).select_option(label="nothing")
    assert kinds.first.is_visible()
    assert set(kinds.all_inner_texts()) == {"Discrete", "Continuous, 4 channels", "Continuous, 16 channels"}
    page.locator(".results thead th.number", has_text="PSNR").click(position={"x": 3, "y": 3})
    assert shown_systems(page) == ranked("psnr", largest_first=True)


def test_groups_are_sorted_within(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    heading(page, "PSNR").click()
    groups = page.locator(".results tr.group").all_inner_texts()
    assert [group.strip() for group in groups] == ["Discrete", "Continuous, 4 channels", "Continuous, 16 channels"]
    expected = [
        sorted((s for s in range(SYSTEMS) if s % 3 == group), key=lambda s: -value_of("psnr", s)) for group in range(3)
    ]
    assert shown_systems(page) == [system for members in expected for system in members]
    page.get_by_label("Group by", exact=True).select_option(label="family")
    assert [text.strip() for text in page.locator(".results tr.group").all_inner_texts()] == ["Alpha", "Beta", "Gamma"]


def test_filters_leave_what_fits_in_the_table_and_the_charts(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    page.get_by_label("Filter systems").fill("kl - 4CHN")
    assert shown_systems(page) == [4]
    assert page.locator(".point").count() == 1
    assert page.locator(".results [role=status]").inner_text() == f"1 of {SYSTEMS} systems"
    page.get_by_label("Filter systems").fill("")
    page.get_by_label("Family", exact=True).select_option(label="Gamma")
    assert shown_systems(page) == [2, 5]
    page.get_by_label("Filter systems").fill("nothing like it")
    assert page.locator(".results tbody").inner_text() == "No system fits the filters."


def test_figures_say_what_stands_behind_them_to_pointer_and_keyboard(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file)
    best = page.locator(".results tr[data-row='0'] td.best")
    best.hover()
    tip = page.get_by_role("tooltip")
    for expected in ("95 % interval", "from 12 videos", "rank 1 to 2 of 2 systems, 1 pair, 12 videos", "204 frames"):
        assert expected in tip.inner_text()
    page.locator("h1").hover()
    assert not tip.is_visible()
    page.locator(".results tbody button").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.closest('tr').dataset.row") == "1"
    assert "PSNR" in tip.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "tip"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    # All figures together take one stop of the Tab key.
    assert page.locator(".results tbody [tabindex='0']").count() == 1


def test_what_was_not_measured_is_named_with_the_command(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    assert heading(page, "LPIPS").count() == 0
    notes = page.locator(".results .notes").inner_text()
    assert "Not measured: LPIPS ↓ (the backbone's weights are not on this machine)" in notes
    assert "toklab weights pull lpips-vgg" in notes


def test_the_radar_charts_switch_systems_on_and_off(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    assert page.locator(".polygon").count() == SYSTEMS
    button = page.locator(".legend button[data-row='1']")
    button.click()
    assert page.locator(".polygon").count() == SYSTEMS - 1
    assert page.locator(".polygon[data-row='1']").count() == 0
    assert button.get_attribute("aria-pressed") == "false"
    # The focus stays, so that the keyboard can go on.
    page.keyboard.press("Enter")
    assert page.locator(".polygon[data-row='1']").count() == 1
    page.get_by_label("None of Discrete").click()
    assert page.locator(".polygon").count() == SYSTEMS - 2


def test_a_rectangle_in_the_scatter_chart_marks_systems(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    page.get_by_label("Up", exact=True).select_option(label="SSIM ↑")
    assert page.locator(".point").count() == SYSTEMS
    chart = page.locator(".scatter .frame")
    chart.scroll_into_view_if_needed()
    box, point = chart.bounding_box(), page.locator(".point[data-row='0'] .mark").bounding_box()
    x, y = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    page.mouse.move(max(box["x"] + 1, x - 12), y - 12)
    page.mouse.down()
    page.mouse.move(x + 9, y + 9, steps=4)
    page.mouse.up()
    assert shown_systems(page) == [0]
    assert page.locator(".point.out").count() == SYSTEMS - 1
    assert "1 system marked in the chart" in page.locator(".brushed").inner_text()
    page.get_by_role("button", name="Clear").click()
    assert len(shown_systems(page)) == SYSTEMS
    page.locator(".point[data-row='3']").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert len(shown_systems(page)) == 2


def test_a_point_leads_to_its_videos(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    page.locator(".point[data-row='2']").click()
    chosen = page.locator(".videos select").first
    assert chosen.evaluate("control => control.selectedOptions[0].text").startswith(
        page.locator(".legend button[data-row='2']").inner_text()
    )
    assert page.evaluate("document.activeElement.id") == "videos-heading"
    assert page.locator(".videos tbody tr").count() == 2
    system = int(page.locator(".results tr[data-row='2'] .name").inner_text().split("system ")[1].split()[0])
    psnr = page.locator(".videos tbody tr").first.locator("td").nth(1).inner_text()
    assert psnr == f"{value_of('psnr', system):.2f}"
    page.get_by_label("Beside", exact=True).select_option(index=1)
    assert page.locator(".videos .difference").first.is_visible()


def test_what_was_not_kept_is_said_with_the_command_that_keeps_it(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file)
    labels = [row.inner_text() for row in page.locator(".results tbody tr[data-row] th").all()]
    kept = next(index for index, label in enumerate(labels) if "system 1" in label)
    lost = next(index for index, label in enumerate(labels) if "system 5" in label)
    page.locator(".results tbody tr[data-row] .name button").nth(kept).click()
    assert "Reconstructions of 1 of 2 videos can be watched here." in page.locator(".videos .hint").inner_text()
    assert page.locator(".videos tbody tr").nth(1).locator("td").last.inner_text() == "not kept"
    page.locator(".results tbody tr[data-row] .name button").nth(lost).click()
    assert "No reconstruction of this system" in page.locator(".videos .hint").inner_text()
    assert KEEP_COMMAND in page.locator(".videos .hint").inner_text()
    assert page.locator(".videos .watch").count() == 0


def test_hostile_names_are_text(open_page: Callable[..., Any], tmp_path: Path) -> None:
    failures = PlainTable(("label", "reason"), ((HOSTILE, HOSTILE),))
    figures = made_figures(3, name=HOSTILE + "system {}", dataset=HOSTILE)
    report = made_report(figures, title=HOSTILE, sources=[HOSTILE], provenance=[(HOSTILE, HOSTILE)], failures=failures)
    page = open_page(write_page(report, tmp_path))
    page.locator(".results td.best").first.hover()
    page.locator(".point").first.hover()
    page.locator(".legend button").first.hover()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#main img, #tip img, #top img").count() == 0
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.title() == HOSTILE
    for place in (".results tbody", ".videos tbody", ".methods", ".legend"):
        assert HOSTILE in page.locator(place).first.inner_text()


def test_dark_light_and_the_switch(open_page: Callable[..., Any], page_file: Path) -> None:
    def brightness(page: Any) -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) / 765

    dark = open_page(page_file, color_scheme="dark")
    assert brightness(dark) < 0.2
    dark.get_by_role("button", name="Light").click()
    assert brightness(dark) > 0.9
    assert brightness(open_page(page_file, color_scheme="light")) > 0.9


def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_label("Beside", exact=True).select_option(label="Beta system 1")
    page.locator(".watch").first.click()
    for mode in ("Side by side", "Slider", "Flicker"):
        page.get_by_role("button", name=mode, exact=True).click()
        assert page.evaluate("document.getElementById('viewer').scrollWidth") <= 390


def test_the_table_never_sticks_out_of_its_frame(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file)
    settled = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))"
    fits = set()
    for width in range(300, 800, 40):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(settled)
        fits.add(page.locator(".results .scroller.fits").count())
        if page.locator(".results .scroller.fits").count():
            edges = [page.locator(part).first.bounding_box() for part in (".results .scroller", ".results table")]
            frame, table = (edge["x"] + edge["width"] for edge in edges)
            assert table <= frame
    assert fits == {0, 1}


def test_print_is_light_and_opens_what_is_folded(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(page_file, color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_bundle_opens_from_disk_with_its_pictures(
    open_page: Callable[..., Any], numbered_report: Report, tmp_path: Path
) -> None:
    page = open_page(write_page(bundled(numbered_report), tmp_path))
    page.locator(".watch").first.click()
    page.locator("canvas[data-frame='0']").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
def test_axe_finds_nothing_serious(open_page: Callable[..., Any], page_file: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(page_file, color_scheme=scheme)
    for place in ("page", "viewer"):
        if place == "viewer":
            page.locator(".watch").first.click()
        found = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in axe.run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert found == [], place
