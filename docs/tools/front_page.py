"""Remakes the tables and pictures of README.md and docs/ from a run of the demo.

    python3 -m tox run -e demo
    .venv/bin/python docs/tools/front_page.py runs/demo

The second command needs the tests' packages and Chromium. It reads the run and the page in its report.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toklab.bench import open_run
from toklab.bench.analysis.run_report import run_figures
from toklab.reports.schema import Figure
from toklab.reports.tables.plain import pipe_table
from toklab.reports.tables.table import Cell, build_table

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
PAGE_PICTURE, VIEWER_PICTURE, RADAR_PICTURE = "demo_page.png", "demo_viewer.png", "demo_radar.png"
VIEWPORT = (1084, 800)
"""Width and height of the picture of the page, in pixels; the last column of the demo's table in it is of quality."""
VIEWER_VIEWPORT = (1084, 1000)
"""The same of the viewer's picture."""
LARGEST_PICTURE = 300_000
"""Bytes of a picture; a larger one gets a palette."""

SHOWN = (
    "vidtok-small-fsq-262144",
    "h264-262144",
    "vidtok-small-kl-4chn",
    "cdt-small-4chn",
    "bicubic-4chn",
    "progressive-small-8x",
)
"""Tokenizers in the README's table: codes beside H.264, continuous latents beside resizing, and a grown level."""
SHOWN_METRICS = ("bpp", "psnr", "ssim", "vmaf")
ALL_METRICS = ("params", "macs", "bpp", "psnr", "ssim", "vmaf", "flicker", "codebook-utilization")
"""Metrics in the table of docs/results.md. Speeds are left out, because they are those of one machine."""

WATCHED, BESIDE = "VidTok (small) KL-4chn", "Bicubic 4chn"
"""Systems in the picture of the viewer."""
FRAME = 8
"""The frame in it, from 0."""


def full_table(figures: Sequence[Figure]) -> str:
    """All systems of a run with intervals, as a Markdown table in groups."""
    return _table(figures, ALL_METRICS, None, [name for name in ALL_METRICS if name != "bpp"])


def short_table(figures: Sequence[Figure]) -> str:
    """Six systems of a run as a Markdown table of 100 columns at most, ranked as in the full one."""
    return _table(figures, SHOWN_METRICS, SHOWN, ("psnr",))


def _table(
    figures: Sequence[Figure], metrics: Sequence[str], tokenizers: Sequence[str] | None, with_interval: Sequence[str]
) -> str:
    whole = build_table(figures, intervals="ends")
    places = [index for name in metrics for index, column in enumerate(whole.columns) if column.metric == name]
    headings = ["System", "Latent", *(whole.columns[place].heading for place in places)]
    body = []
    for section in whole.sections:
        rows = [row for row in section.rows if tokenizers is None or row.source.tokenizer in tokenizers]
        if tokenizers is None:
            body.append([f"*{section.title}*", *[""] * (len(headings) - 1)])
        for row in rows:
            cells = [_cell(row.cells[place], whole.columns[place].metric in with_interval) for place in places]
            body.append([row.title, row.regularizer, *cells])
    return pipe_table(headings, body, "ll" + "r" * len(places))


def _cell(cell: Cell, with_interval: bool) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>", "": cell.text}[cell.rank]
    return f"{text} {cell.interval}".strip() if with_interval else text


def marked(text: str, name: str) -> str:
    """What stands between the marks of a place in a document.

    Raises:
        ValueError: if the document has no such place.
    """
    found = re.search(_place(name), text, flags=re.DOTALL)
    if not found:
        raise ValueError(f"the document has no place called {name!r}")
    return found[2]


def replace_marked(text: str, name: str, content: str) -> str:
    """A document with other content between the marks of a place."""
    marked(text, name)
    return re.sub(_place(name), lambda found: f"{found[1]}{content}{found[3]}", text, flags=re.DOTALL)


def _place(name: str) -> str:
    return rf"(<!-- {name}: made by docs/tools/front_page\.py -->\n\n)(.*?)(\n\n<!-- end -->)"


def take_pictures(browser: Any, page: Path, folder: Path, *, watched: str, beside: str, frame: int = FRAME) -> None:
    """Photograph the page of a report, and its viewer.

    Args:
        browser: Chromium, started by playwright.
        page: ``report.html``.
        folder: where the two pictures go.
        watched: a system with kept reconstructions, as the page names it.
        beside: another one.
        frame: which frame the viewer shows, from 0.
    """
    width, height = VIEWPORT
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.goto(page.resolve().as_uri())
    tab.locator(".results tbody tr").first.wait_for()
    save_picture(tab.screenshot(), folder / PAGE_PICTURE)
    width, height = VIEWER_VIEWPORT
    tab.set_viewport_size({"width": width, "height": height})
    tab.get_by_label("System", exact=True).first.select_option(label=watched)
    tab.get_by_label("Beside", exact=True).select_option(label=beside)
    tab.locator(".watch").first.click()
    for _ in range(frame):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("e")
    drawn = f"(canvas) => canvas.dataset.frame === '{frame}'"
    while not tab.evaluate(f"[...document.querySelectorAll('#viewer canvas')].every({drawn})"):
        tab.wait_for_timeout(20)
    save_picture(tab.screenshot(), folder / VIEWER_PICTURE)
    context.close()


def save_picture(content: bytes, path: Path) -> None:
    """Write a PNG; with a palette where it would be too large without."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as opened:
        picture = opened.convert("RGB")
    picture.save(path, optimize=True)
    if path.stat().st_size > LARGEST_PICTURE:
        palette = picture.quantize(256, Image.Quantize.MAXCOVERAGE)
        picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def write_tables(figures: Sequence[Figure]) -> None:
    """Write the tables of README.md and docs/results.md."""
    for path, name, content in (
        (ROOT / "README.md", "six systems", short_table(figures)),
        (ROOT / "docs" / "results.md", "the demo", full_table(figures)),
    ):
        path.write_text(replace_marked(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def main() -> None:
    """Remake all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of the demo, with its report")
    folder = parser.parse_args().run
    from playwright.sync_api import sync_playwright

    write_tables(run_figures(open_run(folder).results, published=False))
    save_picture((folder / "report" / "radar.png").read_bytes(), IMAGES / RADAR_PICTURE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take_pictures(browser, folder / "report" / "report.html", IMAGES, watched=WATCHED, beside=BESIDE)
        browser.close()


if __name__ == "__main__":
    main()
