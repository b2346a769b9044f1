"""Who may import whom, and what the folders look like."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "tokenizers", "datasets", "reports")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MAX_LINES = 500
TOKENIZERS_MAY_IMPORT = {"torch", "numpy", "safetensors", *sys.stdlib_module_names}
MAY_IMPORT = {"bench": set(FOLDERS), **{folder: {folder} for folder in FOLDERS if folder != "bench"}}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, module_level: bool = False) -> Iterator[str]:
    """What a module imports, as dotted names: ``datasets.interface`` for ours, ``numpy.linalg`` for others'."""
    package = path.relative_to(ROOT).parent.parts
    for node in _statements(ast.parse(path.read_text(encoding="utf-8")), module_level):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ()))
            yield from (".".join((*base, alias.name)) for alias in node.names)


def _statements(tree: ast.AST, module_level: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        inside_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for_types_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (module_level and (inside_function or for_types_only)):
            yield from _statements(node, module_level)


def is_relative_import(path: Path, name: str) -> bool:
    """Whether a dotted name is one of our modules rather than another package's that is called the same."""
    first, *rest = name.split(".")
    folder = ROOT / first
    return first in FOLDERS and bool(rest) and ((folder / rest[0]).is_dir() or (folder / f"{rest[0]}.py").is_file())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    ours = {name for name in imports(path) if is_relative_import(path, name)}
    assert {name for name in ours if name.split(".")[0] not in MAY_IMPORT[folder]} == set()
    assert not [name for name in imports(path) if name.split(".")[0] == "toklab"], "imports inside toklab are relative"


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).startswith("tokenizers/")], ids=name_of)
def test_tokenizers_need_torch_numpy_and_safetensors_alone(path: Path) -> None:
    others = {name for name in imports(path, module_level=True) if not is_relative_import(path, name)}
    assert {name for name in others if name.split(".")[0] not in TOKENIZERS_MAY_IMPORT} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("folder", FOLDERS)
def test_root_folders_are_namespaces_and_their_subfolders_packages(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()
    subfolders = {path.parent for path in (ROOT / folder).rglob("*") if path.is_file()} - {ROOT / folder}
    bare = [
        str(path) for path in subfolders if "__pycache__" not in path.parts and not (path / "__init__.py").is_file()
    ]
    assert bare == []
