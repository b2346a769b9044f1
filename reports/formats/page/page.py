"""The page as a format: one file that opens from disk, or a folder to host."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from string import Template

from ..interface import Report
from .clips import PageMedia
from .content import page_content

PAGE = "report.html"
"""The page in one file."""
BUNDLE = "page"
"""The folder of the page with its media beside it."""
MEDIA_LIMIT = 24 * 2**20
"""Bytes of media that the page in one file may have; what is beyond that takes the folder."""
SCRIPTS = (
    "elements",
    "state",
    "marks",
    "tooltip",
    "plain_tables",
    "results",
    "radar",
    "scatter",
    "videos",
    "frames",
    "strips",
    "viewer",
    "sections",
    "start",
)
"""In the order in which they stand in the page."""


def report_files(report: Report) -> dict[str, str | bytes]:
    """``report.html``; or of a bundle ``page/index.html`` and ``page/media/``."""
    media = PageMedia(report, limit=None if report.is_bundle else MEDIA_LIMIT)
    content = page_content(report, media)
    if not report.is_bundle:
        return {PAGE: render_page(content, media.embedded())}
    written: dict[str, str | bytes] = {f"{BUNDLE}/index.html": render_page(content, {})}
    return written | {f"{BUNDLE}/media/{name}": picture for name, picture in media.pictures.items()}


def render_page(content: dict[str, object], media: dict[str, str]) -> str:
    """The page of some content.

    Args:
        content: from :func:`~.content.page_content`.
        media: names of pictures in the page, and the pictures in base64.
    """
    style, script = _resource("style.css"), _script()
    # Pictures come last, so that the page is drawn before they are read.
    pictures = "\n".join(
        f'<script type="text/plain" id="media-{html.escape(name)}">{text}</script>' for name, text in media.items()
    )
    return Template(_resource("page.html")).substitute(
        policy=html.escape(_policy(script, style)),
        title=html.escape(str(content["title"])),
        style=style,
        content=escape_json(content),
        script=script,
        media=pictures,
    )


def escape_json(value: object) -> str:
    """A value as JSON that nothing in HTML takes for markup: ``</script>`` and ``<!--`` don't occur."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _script() -> str:
    parts = [_resource(f"script/{name}.js") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _policy(script: str, style: str) -> str:
    """What the page may do: run its own script and style, show its own pictures, and nothing else."""
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    resource = files(__package__ or "")
    for part in name.split("/"):
        resource = resource.joinpath(part)
    return resource.read_text(encoding="utf-8")
