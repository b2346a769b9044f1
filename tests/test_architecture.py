"""Who may import whom, and what the folders look like."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "tokenizers", "datasets", "reports")
MAX_LINES = 500
MAX_MODULES_DIRECTLY_IN = {"bench": 4, "tokenizers": 12}
TOKENIZERS_MAY_IMPORT = {"torch", "numpy", "safetensors", *sys.stdlib_module_names}
MAY_IMPORT = {"bench": set(FOLDERS), **{folder: {folder} for folder in FOLDERS if folder != "bench"}}

FLOORS_FROM_THE_TOP: dict[str, tuple[str, ...]] = {
    "bench": (
        "cli",
        "api",
        "inventory",
        "conformance",
        "exports",
        "analysis",
        "execution",
        "training",
        "planning",
        "catalog",
        "metrics",
        "ledger",
        "statistics",
        "suites",
    ),
    "tokenizers": (
        "catalog",
        "vidtok cdt progressive baselines",
        "golden training",
        "network_adapter",
        "networks",
        "streaming tiling",
        "interface",
        "checkpoints card_file",
        "trust",
        "card",
        "adapters spec",
        "errors",
        "cards weights",
    ),
    "reports": (
        "report",
        "registry",
        "formats",
        "paper",
        "charts",
        "tables published record",
        "identity",
        "files schema",
        "text",
    ),
}
"""Rooms, and modules directly in the folder, floor by floor: each may import those of lower floors alone."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports."""

    target: str
    """Dotted: a module of ours without ``toklab.``, such as ``datasets.interface``, else another package's."""
    is_ours: bool
    at_module_level: bool


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name without ``toklab.``."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Everything that a module imports, at its top, inside functions and for type checkers alone."""
    path = MODULES[module]
    package = path.relative_to(ROOT).parent.parts
    found: list[Import] = []
    for node, at_module_level in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, False, at_module_level) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(Import(node.module or "", False, at_module_level))
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
            for alias in node.names:
                name = f"{base}.{alias.name}"
                found.append(Import(name if name in MODULES else base, True, at_module_level))
    return tuple(found)


def _statements(tree: ast.AST, at_module_level: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    for node in ast.iter_child_nodes(tree):
        yield node, at_module_level
        inside_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for_types_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        yield from _statements(node, at_module_level and not inside_function and not for_types_only)


def test_the_folders_import_one_way() -> None:
    for module in MODULES:
        folder = module.split(".")[0]
        ours = {found.target for found in imports(module) if found.is_ours}
        assert {name for name in ours if name.split(".")[0] not in MAY_IMPORT[folder]} == set(), module
        absolute = [found.target for found in imports(module) if found.target.split(".")[0] == "toklab"]
        assert not absolute, f"{module}: imports inside toklab are relative"


def test_rooms_import_lower_floors_alone() -> None:
    astray = []
    for folder, floors in FLOORS_FROM_THE_TOP.items():
        floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms.split()}
        inside = [module.split(".") for module in MODULES if module.startswith(f"{folder}.")]
        assert {room for _, room, *_ in inside} == set(floor_of), f"{folder}: rooms without a floor, or the reverse"
        for path in inside:
            for found in imports(".".join(path)):
                target = found.target.split(".")
                leaves_room = found.is_ours and target[0] == folder and target[1] != path[1]
                if leaves_room and floor_of[target[1]] <= floor_of[path[1]]:
                    astray.append(f"{'.'.join(path)} → {found.target}")
    assert astray == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path[path.index(module) :], module))
        if module not in finished:
            for found in imports(module):
                if found.is_ours and found.target in MODULES:
                    visit(found.target, (*path, module))
            finished.add(module)

    for module in MODULES:
        visit(module, ())


def test_tokenizers_need_torch_numpy_and_safetensors_alone() -> None:
    for module in MODULES:
        if module.startswith("tokenizers."):
            others = {found.target for found in imports(module) if not found.is_ours and found.at_module_level}
            assert {name for name in others if name.split(".")[0] not in TOKENIZERS_MAY_IMPORT} == set(), module


def test_modules_stay_small() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > MAX_LINES} == {}


def test_folders_hold_rooms_rather_than_modules() -> None:
    for folder, most in MAX_MODULES_DIRECTLY_IN.items():
        assert len(list((ROOT / folder).glob("*.py"))) <= most, folder


def test_root_folders_are_namespaces_and_their_subfolders_packages() -> None:
    # bench alone has one, for the API: nothing else is called bench.
    assert [folder for folder in FOLDERS if (ROOT / folder / "__init__.py").exists()] == ["bench"]
    for folder in FOLDERS:
        subfolders = {path.parent for path in (ROOT / folder).rglob("*") if path.is_file()} - {ROOT / folder}
        bare = [
            str(path) for path in subfolders if "__pycache__" not in path.parts and not (path / "__init__.py").is_file()
        ]
        assert bare == []
