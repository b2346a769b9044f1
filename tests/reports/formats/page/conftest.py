"""A browser for tests of the page, in which nothing may go wrong unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import chromium
from page_reports import made_figures, made_report, numbered_clip, write_page
from toklab.reports.formats.interface import Report
from toklab.reports.formats.page import media

SYSTEMS = 6
VIEWPORT = {"width": 1400, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, as the system's package."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def usual_context(browser: Any) -> Any:
    """The context of pages that need no options of their own: a new one takes longer than the page."""
    return browser.new_context(viewport=VIEWPORT)


@pytest.fixture
def open_page(browser: Any, usual_context: Any) -> Iterator[Callable[..., Any]]:
    """Open a page from disk; the test fails if it logs an error or asks for anything but its own files.

    ``script`` runs before the page's own; other options are those of a browser's context.
    """
    wrong: list[str] = []
    opened = []

    def open_it(path: Path, script: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": VIEWPORT, **options}) if options else usual_context
        page = context.new_page()
        opened.append(context if options else page)
        page.set_default_timeout(60_000)
        own = path.parent.as_uri()

        def note_request(request: Any) -> None:
            if not request.url.startswith(("data:", own)):
                wrong.append(f"request of {request.url}")

        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", note_request)
        page.add_init_script(script or "null")
        page.goto(path.as_uri())
        page.locator(".results tbody tr").first.wait_for()
        return page

    yield open_it
    for each in opened:
        each.close()
    assert wrong == []


@pytest.fixture(scope="session")
def numbered_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Six systems; the first three have kept reconstructions of one of two videos, of 20 numbered frames."""
    clip = numbered_clip(tmp_path_factory.mktemp("kept"), [f"system {system}" for system in range(3)])
    return made_report(made_figures(SYSTEMS), clips=[clip])


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, numbered_report: Report) -> Path:
    """The page of that report, whose clip takes several sheets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "LARGEST_SHEET", 320)
        return write_page(numbered_report, tmp_path_factory.mktemp("page"))
