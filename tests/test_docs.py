"""Every command and every example in the documents runs as it stands, and what they name exists.

A sequence of blocks shares a working folder, which holds the video ``clip.mp4``, the folder ``clips`` with three more,
and a copy of ``examples``. A document with Python is one sequence, because its blocks share names; of every other
document each section is one. A block whose first line is a comment with a file's name is that file: files below
``examples`` are the repository's, and equal; the others are the reader's own, and are written into the folder.

Nothing here has a time limit, so that a slow or busy machine can't fail it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from toklab.bench import open_run
from toklab.bench.cli.main import app
from toklab.bench.metrics import METRICS
from toklab.datasets.catalog import DATASETS
from toklab.datasets.video_writer import write_video
from toklab.reports.registry import FORMATS
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.catalog import build_on_meta
from wheels import build_wheel, install_wheel

ROOT = Path(__file__).parents[1]
# docs/cli.md is written from the help of the commands, where somebody has built the site.
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples" / "README.md",
    *sorted(path for path in (ROOT / "docs").glob("**/*.md") if path.name != "cli.md"),
]
CONTINUOUS_INTEGRATION = (
    "python3 -m pip install tox && python3 -m tox",
    "python3 -m pip install tox && python3 -m tox run -e demo",
)
"""Commands that `.ci/run` takes from the README and runs."""
BUILD = ".venv/bin/python -m build --wheel"
INSTALL = "python3 -m pip install ."
"""What `tests/test_packaging.py` does: build, and install."""

THOROUGH = {
    "docs/extending.md",
    "docs/use.md: Low frame rates",
    "docs/use.md: Run a suite",
    "docs/use.md: Your own videos",
    "docs/use.md: Settings and protocols",
    "docs/use.md: Share the work",
    "docs/use.md: Long videos and large frames",
    "docs/training.md: Train",
    "docs/scale.md: What a run costs",
    "examples/README.md: A package that extends toklab",
    "examples/README.md: A card of your own",
    "examples/README.md: Load a run",
}
"""Sequences that take long, and whose commands other tests and sequences give, too."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that the block is, relative to the working folder; empty if it is none."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found[1] if found else ""

    @property
    def content(self) -> str:
        """The block without the line that names the file."""
        return self.text.split("\n", 1)[1].lstrip("\n") if self.file else self.text

    @property
    def commands(self) -> list[str]:
        """Commands of a shell block that run here, those of continuous integration left out."""
        if self.language != "sh":
            return []
        lines = [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]
        return [line for line in lines if not is_run_by_continuous_integration(line)]

    @property
    def runs(self) -> bool:
        """Whether running the block does anything."""
        return bool(self.language == "python" or self.commands)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a text."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in found]


def title(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def sequences() -> dict[str, list[Block]]:
    """The blocks that are run one after another, by the name of their document and section."""
    found = {}
    for document in DOCUMENTS:
        text = document.read_text()
        if any(block.language == "python" for block in blocks(text)):
            found[title(document)] = blocks(text)
            continue
        for section in re.split(r"^## ", text, flags=re.MULTILINE):
            heading = section.split("\n", 1)[0].strip("# ")
            found[f"{title(document)}: {heading}"] = blocks(section)
    return {name: sequence for name, sequence in found.items() if any(block.runs for block in sequence)}


def is_run_by_continuous_integration(command: str) -> bool:
    """Whether `.ci/run` runs the command, or one with other arguments: its environments and their programs."""
    if command in (*CONTINUOUS_INTEGRATION, BUILD, INSTALL, "python3 -m pip install tox"):
        return True
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    words = shlex.split(command)
    if words[:3] == ["python3", "-m", "tox"] and words[4:5] == ["-e"]:
        return f"testenv:{words[5]}" in tox
    programs = {
        line.split()[0] for name in tox.sections() for line in tox[name].get("commands", "").splitlines() if line
    }
    return words[0].removeprefix(".venv/bin/") in programs - {"toklab"}


class Reader:
    """Someone who follows a document in a folder of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder
        self.namespace: dict[str, Any] = {"__name__": "document"}
        self._monkeypatch = monkeypatch
        self._site = folder.parent / "site"
        monkeypatch.chdir(folder)

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        if block.file and not block.file.startswith("examples/"):
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.content)
        elif block.language == "python":
            exec(compile(block.text, block.file or "<document>", "exec"), self.namespace)
        for command in block.commands:
            self.run(command)

    def run(self, command: str) -> None:
        """Run a command of a shell, which must succeed."""
        match shlex.split(command, comments=True):
            case ["export", assignment]:
                self._monkeypatch.setenv(*assignment.split("=", 1))
            case ["python3", "-m", "pip", "install", source] if source.startswith("./"):
                # As pip would, but without the network and without touching the environment of the tests.
                install_wheel(build_wheel(self.folder / source, self.folder.parent), self._site)
                self._monkeypatch.setenv("PYTHONPATH", str(self._site))
                self._monkeypatch.syspath_prepend(self._site)
            case ["toklab", *arguments]:
                self._call(command, [str(Path(sys.executable).with_name("toklab")), *arguments])
            case ["python3", script, *arguments] if script.endswith(".py"):
                self._call(command, [sys.executable, script, *arguments])
            case _:
                pytest.fail(f"nothing tests the command {command!r}")

    def _call(self, command: str, arguments: list[str]) -> None:
        done = subprocess.run(arguments, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def documents_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all documents, so that the built-in sample is made once."""
    return tmp_path_factory.mktemp("documents-cache")


@pytest.fixture
def reader(tmp_path: Path, documents_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setenv("TOKLAB_CACHE", str(documents_cache))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    folder = tmp_path / "folder"
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    write_stripes(folder / "clip.mp4", 3)
    for speed, name in enumerate("abc", start=1):
        write_stripes(folder / "clips" / f"{name}.mp4", speed)
    formats = dict(FORMATS)
    yield Reader(folder, monkeypatch)
    FORMATS.clear()
    FORMATS.update(formats)


def write_stripes(path: Path, speed: int) -> None:
    rows, columns = np.mgrid[:144, :176]
    frames = [np.stack([(columns + speed * t) % 256, (rows + t) % 256, (rows + columns) % 256], -1) for t in range(20)]
    write_video(path, np.stack(frames).astype(np.uint8), 30.0, quality="view")


def cases() -> list[Any]:
    """The sequences, those of :data:`THOROUGH` marked as thorough."""
    every = sequences()
    assert every.keys() >= THOROUGH
    return [
        pytest.param(sequence, id=name, marks=[pytest.mark.thorough] if name in THOROUGH else [])
        for name, sequence in every.items()
    ]


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("sequence", cases())
def test_blocks_run_as_they_stand(sequence: list[Block], reader: Reader) -> None:
    for block in sequence:
        reader.follow(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_every_command_has_the_options_that_it_is_given(document: Path) -> None:
    """Whether its sequence is run here or not."""
    # Some versions of typer have a click of their own.
    group: Any = typer.main.get_command(app)
    for block in blocks(document.read_text()):
        for line in block.commands:
            words = shlex.split(line, comments=True)
            if words[0] != "toklab":
                continue
            context = group.make_context("toklab", words[1:])
            while hasattr(context.command, "resolve_command"):
                words = [*context._protected_args, *context.args]
                name, command, rest = context.command.resolve_command(context, words)
                context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_blocks_equal_the_files_that_they_name(document: Path) -> None:
    named = [block for block in blocks(document.read_text()) if block.file.startswith("examples/")]
    differing = [block.file for block in named if (ROOT / block.file).read_text() != block.content]
    assert not differing


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_no_command_hides_where_nothing_runs_it(document: Path) -> None:
    hidden = re.compile(r"^(\$ |toklab |python3? |pip |pytest|tox |ruff |pyright)", flags=re.MULTILINE)
    unrun = [block.text for block in blocks(document.read_text()) if block.language not in ("sh", "python", "toml")]
    assert not [text for text in unrun if hidden.search(text)]


def test_the_readme_holds_what_continuous_integration_runs() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert all(command in lines for command in CONTINUOUS_INTEGRATION)


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [t for t in targets if not t.startswith("http") and not (document.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"`((?:bench|tokenizers|datasets|reports|tests|docs|examples)/[\w./-]*)`", document.read_text())
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_columns_in_the_docs_are_the_columns(tmp_path: Path) -> None:
    run = open_run(shutil.copytree(ROOT / "tests" / "data" / "run_format_1", tmp_path / "run"))
    first, second = run.table()["label"].unique()[:2]
    frames = {name: getattr(run, name)() for name in ("table", "windows", "failures", "accounting")}
    frames["compare"] = run.compare(first, second)
    sections = re.split(r"^### `(\w+)\(.*$", (ROOT / "docs" / "python.md").read_text(), flags=re.MULTILINE)[1:]
    documented = dict(zip(sections[::2], sections[1::2], strict=True))
    for name, frame in frames.items():
        rows = re.findall(r"^\| (`.*?) \| ", documented[name], flags=re.MULTILINE)
        assert [column for row in rows for column in re.findall(r"`(\w+)`", row)] == list(frame.columns), name


def test_the_conventions_are_those_of_metrics_that_exist() -> None:
    headings = re.findall(r"^### `(\S+)`$", (ROOT / "docs" / "conventions.md").read_text(), flags=re.MULTILINE)
    assert set(headings) <= set(METRICS)
    assert len(headings) == len(set(headings))


def test_the_datasets_in_the_docs_are_the_datasets() -> None:
    text = (ROOT / "docs" / "use.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)(?::\w+)?`(?:, `.*`)? \| ", text, flags=re.MULTILINE)
    assert set(rows) == set(DATASETS)


@pytest.mark.parametrize("card", ["my-vidtok.toml"])
def test_the_cards_among_the_examples_are_cards(card: str) -> None:
    tokenizer = build_on_meta(read_card(ROOT / "examples" / "cards" / card))
    assert sum(p.numel() for module in tokenizer.modules().values() for p in module.parameters()) == 157_451_663


def test_the_layout_in_the_docs_is_the_layout() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    layout = next(block.text for block in blocks(text) if block.language == "text" and block.text.startswith("bench/"))
    named, parents = set(), [ROOT]
    for line in layout.splitlines():
        if found := re.match(r"( *)([\w.-]+)/(?: |$)", line):
            depth = len(found[1]) // 2
            parents = [*parents[: depth + 1], parents[depth] / found[2]]
            named.add(parents[-1])
    code = [ROOT / name for name in ("bench", "tokenizers", "datasets", "reports")]
    there = {
        path for folder in code for path in (folder, *folder.iterdir()) if path.is_dir() and path.name[0] not in "_."
    }
    assert not [str(path) for path in named if not path.is_dir()]
    assert {*code, *there} <= named


def test_the_citation_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
