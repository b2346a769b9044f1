"""From data and pictures to the bytes of a PDF, by typst and the templates beside this module."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ...schema import TableError
from .glyphs import font_files

MAIN = "report.typ"
"""The template that the others are imported by."""


def compile_pdf(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> bytes:
    """Set the templates with what they read: ``data.json``, and pictures by their names.

    The same data and pictures give the same bytes with the same versions of typst and matplotlib, whose fonts are the
    only ones used. The network isn't.

    Raises:
        TableError: what typst says, if it can't set the document.
    """
    import typst

    with tempfile.TemporaryDirectory(prefix="toklab-pdf-") as name:
        root = Path(name)
        for template in resources.files(__package__ or "").iterdir():
            if template.name.endswith(".typ"):
                (root / template.name).write_bytes(template.read_bytes())
        (root / "data.json").write_text(json.dumps(data), encoding="utf-8")
        for picture, content in pictures.items():
            (root / picture).write_bytes(content)
        fonts = root / "fonts"
        fonts.mkdir()
        for path in font_files():
            shutil.copyfile(path, fonts / path.name)
        try:
            made = typst.compile(
                str(root / MAIN), root=name, font_paths=[str(fonts)], ignore_system_fonts=True, format="pdf"
            )
        except RuntimeError as error:
            hints = getattr(error, "hints", None) or ()
            message = "; ".join(filter(None, (str(getattr(error, "message", error)), *map(str, hints))))
            raise TableError(f"report.pdf could not be set: typst says: {message.replace(name, '')}") from error
    return bytes(made)
