"""Fixtures that every test folder shares."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# How long an example takes says nothing about the code: a cold start or a loaded machine must not fail a test.
settings.register_profile("toklab", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("toklab")

SLOW_S = 1.0
"""Seconds of processor time, those of child processes included, from which on a test is to be marked slow."""
LONG_S = 15.0
"""Of the files of tests that the end of a run names."""
NUM_LONGEST = 60
"""Tests that it names with their processor time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as thorough all cases of a test marked ``sampled(n)`` but n of them, spread over the list."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for of_one_test in cases.values():
        mark = of_one_test[0].get_closest_marker("sampled")
        assert mark is not None
        (number,) = mark.args
        kept = {len(of_one_test) * place // number for place in range(number)}
        for place, item in enumerate(of_one_test):
            if place not in kept:
                item.add_marker(pytest.mark.thorough)


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the processor time of every test: it depends little on what else the machine does."""
    start = _processor_seconds()
    try:
        return (yield)
    finally:
        item.user_properties.append(("processor_seconds", _processor_seconds() - start))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that make the fast loop slow; nothing fails, for no test may depend on time."""
    passed = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    spent = {report.nodeid: dict(report.user_properties).get("processor_seconds", 0.0) for report in passed}
    is_slow = {report.nodeid: "slow" in report.keywords for report in passed}
    by_time = sorted((name for name in spent if spent[name] > SLOW_S), key=lambda name: -spent[name])
    files: dict[str, float] = {}
    for name, seconds in spent.items():
        file = name.partition("::")[0]
        files[file] = files.get(file, 0.0) + seconds
    long = sorted((name for name in files if files[name] > LONG_S), key=lambda name: -files[name])
    spent |= files
    listed = {
        "the longest files": long,
        f"the longest, in processor time; {sum(files.values()):.0f} s in all": by_time[:NUM_LONGEST],
        f"more than {SLOW_S:g} s of processor time, to be marked slow": [name for name in by_time if not is_slow[name]],
    }
    for title, names in listed.items():
        if names:
            terminalreporter.section(title)
            for name in names:
                terminalreporter.write_line(f"{spent[name]:6.1f} s  {name}")


@pytest.fixture(autouse=True)
def _own_lock_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins of downloads go into a file of the test's own, never into the user's."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("TOKLAB_WEIGHTS_LOCK", str(tmp_path_factory.getbasetemp() / "locks" / f"{name}.lock"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with golden data and real clips, named by TOKLAB_SHARED; the test is skipped where it isn't set."""
    folder = os.environ.get("TOKLAB_SHARED")
    if not folder:
        pytest.skip("golden data and real clips: set TOKLAB_SHARED to the folder that holds them")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"TOKLAB_SHARED names {path}, which is not a folder")
    return path


@pytest.fixture(autouse=True)
def _isolated_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches and plugin settings of the user's machine out of the tests."""
    monkeypatch.setenv("TOKLAB_CACHE", str(tmp_path / "toklab-cache"))
    for name in ("TOKLAB_PLUGINS", "TOKLAB_WEIGHTS", "TOKLAB_DATA", "TOKLAB_CHECKPOINTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Make tests that draw from torch's default generator repeatable."""
    torch.manual_seed(0)
