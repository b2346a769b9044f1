"""Mutants: small changes of a module's code that its tests should notice. cosmic-ray makes them, a seed draws them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

Position = tuple[int, int]
"""Line, from 1, and column, from 0."""


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    path: str
    """Of the module, from the repository's root."""
    line: int
    operator: str
    """cosmic-ray's name of the kind of change."""
    occurrence: int
    """Which of the places in the module that the operator can change, from 0."""
    source_hash: str
    """Of the module's code before the change: a result is of this code alone."""

    def code(self, source: str) -> str:
        """The module's code with the change."""
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        if changed is None:
            raise ValueError(f"{self.path} has no place {self.occurrence} for {self.operator}")
        return changed


def draw(root: Path, paths: Iterable[str], number: int, seed: int) -> list[Mutant]:
    """Draw places without replacement, all modules' together, then one change for each place.

    Places come first, for operators differ widely in how many changes they know: 11 of a sum, one of a loop. A place's
    turn follows from the seed and the text of its line, so that most of a draw stays while the code changes, and a draw
    of fewer mutants is the beginning of a draw of more.
    """
    turns: dict[str, list[Mutant]] = {}
    for path in paths:
        source = (root / path).read_text(encoding="utf-8")
        lines = source.splitlines()
        for place in _places(path, source):
            text = f"{seed} {path} {lines[place[0].line - 1]}"
            number_alike = 0
            while (turn := _digest(f"{text} {number_alike}")) in turns:
                number_alike += 1
            turns[turn] = place
    chosen = sorted(turns)[:number]
    return [turns[turn][int(turn, 16) % len(turns[turn])] for turn in chosen]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _places(path: str, source: str) -> list[list[Mutant]]:
    """The changes of a module, by the place where they are made."""
    tree = get_ast(source)
    source_hash = _digest(source)[:12]
    without_effect = list(_annotations(source))
    found: dict[tuple[Position, Position], list[Mutant]] = {}
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments():
            continue
        operator = operator_class()
        positions = (place for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start and end <= last for first, last in without_effect):
                found.setdefault((start, end), []).append(Mutant(path, start[0], name, occurrence, source_hash))
    return [found[place] for place in sorted(found)]


def _annotations(source: str) -> Iterator[tuple[Position, Position]]:
    """Where a module has annotations of types: Python doesn't evaluate them."""
    for node in ast.walk(ast.parse(source)):
        annotation = getattr(node, "returns", None) or getattr(node, "annotation", None)
        if isinstance(annotation, ast.expr):
            assert annotation.end_lineno is not None
            assert annotation.end_col_offset is not None
            yield (annotation.lineno, annotation.col_offset), (annotation.end_lineno, annotation.end_col_offset)
