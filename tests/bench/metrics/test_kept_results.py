from __future__ import annotations

from toklab.bench.metrics.kept_results import KeptResults


def test_the_results_that_were_asked_for_last_are_kept() -> None:
    made: list[str] = []
    kept: KeptResults[str] = KeptResults(2)

    def ask(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key.upper())

    assert [ask(key) for key in "abacab"] == ["A", "B", "A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]
