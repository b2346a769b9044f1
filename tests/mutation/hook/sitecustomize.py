"""Runs a mutant in place of a module's own code: Python imports this file at every start, in child processes too.

``TOKLAB_MUTANT`` names the module's file and, after the path separator, the file with the mutant's code.
"""

from __future__ import annotations

import importlib.machinery
import os
from pathlib import Path
from types import CodeType

VARIABLE = "TOKLAB_MUTANT"


def install() -> None:
    """From now on, compile the mutant where its module is imported; nothing on disk changes."""
    original, _, mutant = os.environ[VARIABLE].partition(os.pathsep)
    own_code = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        if os.path.realpath(path) != original:
            return own_code(self, fullname)
        return compile(Path(mutant).read_text(encoding="utf-8"), path, "exec", dont_inherit=True)

    importlib.machinery.SourceFileLoader.get_code = get_code


if VARIABLE in os.environ:
    install()
