"""Parameters and work, from facts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from metric_windows import SPEC, estimate, make_metric, refusal


@pytest.mark.parametrize(("name", "scale"), [("params", 1e6), ("macs", 1e12), ("flops", 1e12)])
def test_reads_facts(name: str, scale: float) -> None:
    facts = {f"{name}_total": 3 * scale, f"{name}_encoder": 1 * scale, f"{name}_decoder": 2 * scale}
    outcome = estimate(make_metric(name), [], facts)
    assert outcome.value == pytest.approx(3)
    assert outcome.details == pytest.approx({"encoder": 1, "decoder": 2})


def test_what_was_not_counted() -> None:
    assert "macs could not be counted" in refusal(make_metric("macs"), [], {"params_total": 1.0}).reason


def test_codecs_and_resizers_have_no_model() -> None:
    assert make_metric("params").applies_to(SPEC)
    assert not make_metric("params").applies_to(replace(SPEC, regularizer="codec"))
    assert not make_metric("params").applies_to(replace(SPEC, regularizer="resize"))
