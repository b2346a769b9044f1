"""A browser for tests of the page, in which nothing may go wrong unseen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_reports import made_figures, made_report, numbered_clip
from toklab.reports.formats.interface import Report
from toklab.reports.formats.page import media
from toklab.reports.formats.page.page import report_files

NEEDS_BROWSER = "needs Chromium and playwright"
"""How the reason begins for which tests in a browser are skipped; continuous integration looks for it."""
ARGUMENTS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SYSTEMS = 6


def write_page(report: Report, folder: Path) -> Path:
    """Write a report's page; its path."""
    for name, content in report_files(report).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return next(folder.rglob("*.html"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, as the system's package."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip(f"{NEEDS_BROWSER}: playwright isn't installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip(f"{NEEDS_BROWSER}: there is no chromium on the path, such as Debian's package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page from disk; the test fails if it logs an error or asks for anything but its own files.

    ``script`` runs before the page's own; other options are those of a browser's context.
    """
    wrong: list[str] = []
    contexts = []

    def open_it(path: Path, script: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
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
    for context in contexts:
        context.close()
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
