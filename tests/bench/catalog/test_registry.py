from __future__ import annotations

import sys

import pytest
from toklab.bench.catalog.registry import BUILT_IN, Registry, RegistryEntry, RegistryError


def as_number(found: object) -> int:
    if not isinstance(found, int):
        raise TypeError(f"a {type(found).__name__} is no number")
    return found


@pytest.fixture
def registry() -> Registry[int]:
    registry = Registry("number", as_number)
    registry.add_target("max-size", "sys:maxsize", BUILT_IN)
    registry.add(RegistryEntry("seven", BUILT_IN, lambda: 7))
    return registry


def broken_module() -> int:
    raise SystemError("half installed")


def test_names_are_sorted_and_found(registry: Registry[int]) -> None:
    registry.add(RegistryEntry("eight", "package 1.0", lambda: 8))
    assert list(registry) == ["eight", "max-size", "seven"]
    assert registry.get("max-size") == sys.maxsize
    assert len(registry) == 3
    assert "seven" in registry
    assert registry.get("eight") == 8
    assert registry.origin("eight") == "package 1.0"


def test_things_are_loaded_once_and_on_demand() -> None:
    registry = Registry("number", as_number)
    calls: list[int] = []
    registry.add(RegistryEntry("n", BUILT_IN, lambda: calls.append(1) or len(calls)))
    assert calls == []
    assert (registry.get("n"), registry.get("n")) == (1, 1)


def test_duplicates_are_refused_with_both_origins(registry: Registry[int]) -> None:
    with pytest.raises(RegistryError, match=r"two numbers are called 'seven': from built-in and from mine 2\.0"):
        registry.add(RegistryEntry("seven", "mine 2.0", lambda: 0))


def test_a_duplicate_plugin_is_reported_and_changes_nothing(registry: Registry[int]) -> None:
    registry.add_plugins([RegistryEntry("seven", "mine 2.0", lambda: 0), RegistryEntry("nine", "mine 2.0", lambda: 9)])
    assert registry.get("seven") == 7
    assert registry.get("nine") == 9
    (broken,) = registry.broken
    assert (broken.kind, broken.name, broken.origin) == ("number", "seven", "mine 2.0")


def test_unknown_names_get_near_ones(registry: Registry[int]) -> None:
    with pytest.raises(RegistryError, match=r"no number is called 'sevn'; did you mean seven\?"):
        registry.get("sevn")
    with pytest.raises(RegistryError, match="see toklab list numbers"):
        registry.check("xyz")


def test_a_broken_plugin_breaks_only_itself(registry: Registry[int]) -> None:
    registry.add_plugins(
        [RegistryEntry("half", "half 0.1", broken_module), RegistryEntry("word", "mine 2.0", lambda: "seven")]
    )
    with pytest.raises(
        RegistryError, match=r"the number 'half' of half 0\.1 doesn't work: SystemError: half installed"
    ):
        registry.get("half")
    assert {plugin.name: plugin.reason for plugin in registry.probe_plugins()} == {
        "half": "SystemError: half installed",
        "word": "TypeError: a str is no number",
    }
    assert registry.get("seven") == 7


def test_errors_of_what_ships_are_not_hidden(registry: Registry[int]) -> None:
    registry.add(RegistryEntry("half", BUILT_IN, broken_module))
    with pytest.raises(SystemError):
        registry.get("half")
    assert registry.broken == []
