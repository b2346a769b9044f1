"""What a rule of the conformance test comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a rule comes to."""

    passed = "pass"
    warned = "warn"
    failed = "FAIL"
    skipped = "skip"


@dataclass(frozen=True)
class Judgement:
    """A rule's verdict on a tokenizer, and why."""

    verdict: Verdict
    why: str = ""


PASSED = Judgement(Verdict.passed)


def failed(why: str) -> Judgement:
    """The judgement on a tokenizer that breaks a rule."""
    return Judgement(Verdict.failed, why)
