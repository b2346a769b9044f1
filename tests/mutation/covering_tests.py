"""Which tests run a line, as `tox -e coverage` noted it."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from coverage import CoverageData

LIMIT_S = 25.0
"""Seconds that the tests of one mutant took together when they were measured; tests beyond aren't run."""


class CoveringTests:
    """The tests of each line, those that mirror the module first, then the fastest."""

    def __init__(self, root: Path, coverage_file: Path, junit_file: Path):
        self._root = root
        self._data = CoverageData(str(coverage_file))
        self._data.read()
        self._measured = {(root / name).resolve().relative_to(root).as_posix(): name for name in self._files(root)}
        self._seconds: dict[str, float] = {}
        for case in ElementTree.parse(junit_file).getroot().iter("testcase"):
            name = f"{case.get('file')}::{_function(case.get('name', ''))}"
            self._seconds[name] = self._seconds.get(name, 0.0) + float(case.get("time", 0.0))

    def _statement(self, path: str, line: int) -> range:
        """The lines of the statement that a line belongs to, without the statements inside it."""
        tree = ast.parse((self._root / path).read_text(encoding="utf-8"))
        statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
        around = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
        if not around:
            return range(line, line + 1)
        inner = max(around, key=lambda node: node.lineno)
        inside = [node.lineno for node in ast.walk(inner) if isinstance(node, ast.stmt) and node is not inner]
        return range(inner.lineno, max(line, min(inside, default=(inner.end_lineno or line) + 1) - 1) + 1)

    def _files(self, root: Path) -> list[str]:
        """Names of measured files of the repository, which may be relative to it or not."""
        return [name for name in self._data.measured_files() if (root / name).resolve().is_relative_to(root)]

    def of(self, path: str, line: int) -> list[str]:
        """Test functions to run for a change of this line; none if no test runs it.

        A line that runs when its module is imported, such as a constant, has all tests of the module, and those of the
        folder that mirrors its own: a test that only reads the constant runs no line of the module.
        """
        contexts = self._data.contexts_by_lineno(self._measured[path]) if path in self._measured else {}
        own = [name for number in self._statement(path, line) for name in contexts.get(number, [])]
        names = _functions(own)
        if own and not names:
            folder = f"tests/{Path(path).parent.as_posix()}/"
            names = _functions(chain(*contexts.values())) | {n for n in self._seconds if n.startswith(folder)}
        mirrored = f"test_{Path(path).stem}.py"
        known = sorted(
            (name for name in names if name in self._seconds),
            key=lambda name: (f"/{mirrored}::" not in name, self._seconds[name], name),
        )
        chosen: list[str] = []
        seconds = 0.0
        for name in known:
            seconds += self._seconds[name]
            if chosen and seconds > LIMIT_S:
                break
            chosen.append(name)
        return chosen


def _functions(contexts: Iterable[str]) -> set[str]:
    """Test functions of coverage's contexts, which name a case and its phase: ``tests/test_a.py::test_b[1]|run``."""
    return {_function(context.rpartition("|")[0]) for context in contexts if "|" in context}


def _function(case: str) -> str:
    return case.partition("[")[0]
