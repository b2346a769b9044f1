"""What a report can be written as. A format is one line here and the module that it names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .formats.interface import ReportFormat

FORMATS: dict[str, str] = {
    "md": ".formats.markdown:report_files",
    "csv": ".formats.comma_separated:report_files",
    "latex": ".formats.latex:report_files",
    "json": ".formats.json_record:report_files",
    "pdf": ".formats.typst.document:report_files",
    "html": ".formats.page.page:report_files",
}
"""Name → ``module:function``, in the order in which files are written.

The function is a :data:`~.formats.interface.ReportFormat`. A leading dot is relative to this folder. `toklab report
--format` offers these names, and writes all of them where none is given; a module is imported when its format is used.
"""


def load_format(name: str) -> ReportFormat:
    """Import a format's function; raises ``KeyError`` if :data:`FORMATS` lacks the name."""
    module, _, function = FORMATS[name].partition(":")
    return getattr(import_module(module, __package__), function)
