"""The docstrings' cross references for the site: ``:class:`~toklab.bench.Run``` becomes ``Run`` in code type."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|func|meth|data|attr|mod):`(~?)([^`]+)`")


class PlainRoles(Extension):
    """Writes names in place of roles, which Markdown doesn't know."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(_name, obj.docstring.value)


def _name(role: re.Match[str]) -> str:
    shortened, target = role.groups()
    return f"`{target.rsplit('.', 1)[-1] if shortened else target.lstrip('.')}`"
