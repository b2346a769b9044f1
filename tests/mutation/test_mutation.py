from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULE = """from __future__ import annotations

LIMIT = 10
LOWEST = -5


def clipped(value: int | None) -> int:
    if value is None:
        return 0
    return min(value, LIMIT)


def unused(value: int) -> int:
    return value + 1
"""
SETTINGS = """
[tool.pytest.ini_options]
markers = ['thorough']
pythonpath = ['.']

[tool.coverage.run]
relative_files = true
"""
TESTS = """from area.clip import clipped


def test_clipped():
    assert clipped(None) == 0
    assert clipped(30) == 10


def test_of_nothing():
    clipped(3)
"""

LIMITS = """from area import clip


def test_the_limit_is_read():
    assert clip.LOWEST == -5
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "area").mkdir()
    (tmp_path / "area" / "clip.py").write_text(MODULE)
    (tmp_path / "tests" / "area").mkdir(parents=True)
    (tmp_path / "tests" / "area" / "test_clip.py").write_text(TESTS)
    (tmp_path / "tests" / "area" / "test_limits.py").write_text(LIMITS)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(HERE)
    from mutants import draw

    return draw


def test_a_draw_depends_on_the_seed_alone(draw, repository: Path) -> None:
    first = draw(repository, ["area/clip.py"], 3, seed=1)
    assert draw(repository, ["area/clip.py"], 3, seed=1) == first
    more = draw(repository, ["area/clip.py"], 100, seed=1)
    assert more[:3] == first
    assert len({(mutant.line, mutant.occurrence, mutant.operator) for mutant in more}) == len(more) > 3


def test_annotations_are_no_places(draw, repository: Path) -> None:
    lines = {mutant.line for mutant in draw(repository, ["area/clip.py"], 100, seed=1)}
    assert {3, 4, 8, 9, 14} <= lines
    assert not lines & {7, 13}  # the heads of the functions, whose annotations have an operator


def numbers_of(code: str, found: str) -> list[int]:
    """Mutants of a folder, and how many were noticed, survived and weren't tested."""
    (row,) = (line for line in found.splitlines() if line.startswith(f"| {code} |"))
    return [int(cell.split()[0]) for cell in row.strip("| ").split(" | ")[1:]]


@pytest.mark.slow
def test_noticed_surviving_and_untested_mutants_are_told_apart(repository: Path) -> None:
    environment = os.environ | {"COVERAGE_FILE": str(repository / ".coverage")}
    measured = [
        "--cov=area",
        "--cov-context=test",
        "--cov-report=",
        "--junit-xml=times.xml",
        "-o",
        "junit_family=xunit1",
    ]
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *measured]
    subprocess.run(pytest_command, cwd=repository, env=environment, check=True, stdout=subprocess.DEVNULL)

    command = [sys.executable, str(HERE / "mutation.py"), "--code", "area/*.py", "--times", "times.xml", "--jobs", "2"]
    found = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    assert "area/clip.py:14 untested\n-    return value + 1\n" in found
    mutants, killed, survived, untested = numbers_of("area", found)
    assert untested >= 1
    assert mutants == killed + survived + untested
    assert killed >= 3  # of the limit, of the condition, of what is returned without a value
    for line in (4, 8):
        assert f"area/clip.py:{line} survived" not in found
    again = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    assert again == found
    assert (repository / "area" / "clip.py").read_text() == MODULE


def test_child_processes_run_the_mutant_too(repository: Path) -> None:
    mutant = repository / "mutant.py"
    mutant.write_text(MODULE.replace("10", "11"))
    environment = os.environ | {
        "TOKLAB_MUTANT": f"{repository / 'area' / 'clip.py'}{os.pathsep}{mutant}",
        "PYTHONPATH": os.pathsep.join([str(HERE / "hook"), str(repository)]),
    }
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'from area import clip; print(clip.LIMIT)'])"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=repository, env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "11"
