"""What an installed toklab consists of, and that it leaves the names ``tokenizers`` and ``datasets`` to others."""

from __future__ import annotations

import importlib.util
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from wheels import ScratchEnvironment, build_wheel, install_wheel

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "tokenizers", "datasets", "reports")
HUGGING_FACE = ("tokenizers", "datasets", "transformers")


@dataclass(frozen=True)
class Built:
    source: Path
    wheel: Path
    editable: Path


def files_of_the_checkout() -> list[str]:
    """Files of the four folders, relative to the root, except what Python or an editor left there."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    relative = [path.relative_to(ROOT) for path in found]
    return sorted(str(path) for path in relative if "__pycache__" not in path.parts and not path.name.startswith("."))


def modules_of_the_checkout() -> list[str]:
    names = [
        Path(file).with_suffix("").as_posix().replace("/", ".")
        for file in files_of_the_checkout()
        if file.endswith(".py")
    ]
    return sorted("toklab." + name.removesuffix(".__init__") for name in names)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A copy of the checkout, its wheel and its editable wheel; the copy keeps build files out of the checkout."""
    source = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    return Built(
        source,
        build_wheel(source, tmp_path_factory.mktemp("wheel")),
        build_wheel(source, tmp_path_factory.mktemp("editable"), "editable"),
    )


@pytest.fixture(scope="session", params=["wheel", "editable"])
def installed_beside_others(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> ScratchEnvironment:
    environment = ScratchEnvironment(tmp_path_factory.mktemp("beside") / "venv", sees_test_environment=True)
    install_wheel(getattr(built, request.param), environment.site_packages)
    return environment


@pytest.fixture(scope="session", params=["wheel", "editable"])
def installed_alone(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> ScratchEnvironment:
    environment = ScratchEnvironment(tmp_path_factory.mktemp("alone") / "venv", sees_test_environment=False)
    install_wheel(getattr(built, request.param), environment.site_packages)
    return environment


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_four_folders(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        packed = {name.removeprefix("toklab/") for name in archive.namelist() if name.startswith("toklab/")}
    assert packed == set(files_of_the_checkout())


@pytest.mark.slow
def test_wheel_puts_nothing_but_toklab_at_the_top_level(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        top_level = {name.split("/")[0] for name in archive.namelist()}
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "toklab = toklab.bench.cli.main:main" in archive.read(entry_points).decode()
    assert {name for name in top_level if not name.endswith(".dist-info")} == {"toklab"}


@pytest.mark.slow
def test_the_interface_loads_nothing_before_it_is_used_and_every_module_can_be_imported(
    installed_beside_others: ScratchEnvironment, tmp_path: Path, built: Built
) -> None:
    code = f"""
import importlib, json, sys
import toklab.bench
loaded = "torch" in sys.modules
from toklab.bench import evaluate, open_run, run_suite
modules = [importlib.import_module(name) for name in {modules_of_the_checkout()!r}]
print(json.dumps([loaded, evaluate.__module__, [module.__file__ for module in modules]]))
"""
    loaded, interface, files = json.loads(installed_beside_others.run(code, tmp_path))
    assert (loaded, interface) == (False, "toklab.bench.api")
    for file in files:
        assert file.startswith((str(installed_beside_others.site_packages), str(built.source))), file


@pytest.mark.slow
def test_every_data_file_is_a_resource(installed_alone: ScratchEnvironment, tmp_path: Path) -> None:
    # Type checkers look for py.typed by its path; nothing reads it.
    data = [Path(file) for file in files_of_the_checkout() if not file.endswith((".py", "/py.typed"))]
    wanted = [("toklab." + ".".join(file.parent.parts), file.name) for file in data]
    code = f"""
from importlib.resources import files
missing = [where for where in {wanted!r} if not files(where[0]).joinpath(where[1]).is_file()]
print(missing)
"""
    assert installed_alone.run(code, tmp_path).strip() == "[]"


def test_the_names_of_other_packages_stay_free(installed_alone: ScratchEnvironment, tmp_path: Path) -> None:
    code = f"""
from importlib.util import find_spec
import toklab
print([name for name in {(*HUGGING_FACE, *FOLDERS)!r} if find_spec(name)])
"""
    assert installed_alone.run(code, tmp_path).strip() == "[]"


@pytest.mark.slow
def test_other_packages_are_not_shadowed(installed_beside_others: ScratchEnvironment, tmp_path: Path) -> None:
    absent = [name for name in HUGGING_FACE if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"not installed here: {', '.join(absent)}")
    code = """
import toklab.tokenizers.card, toklab.datasets.interface
import datasets, tokenizers
from importlib.util import find_spec
print(hasattr(datasets, "load_dataset"), hasattr(tokenizers, "Tokenizer"), find_spec("transformers").origin)
"""
    loads, tokenizes, transformers = installed_beside_others.run(code, tmp_path).split()
    assert (loads, tokenizes) == ("True", "True")
    assert transformers.endswith("transformers/__init__.py")
