"""The conformance test of a tokenizer: every rule of :mod:`.adapter_rules`, one after another, on small clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...tokenizers.interface import InferenceSettings, TokenizerError, VideoTokenizer
from ..catalog import catalog
from ..catalog.plugin_code import describe, plugin_code
from ..planning.suite import parse_assignments
from .adapter_probe import Probe
from .adapter_rules import RULES
from .judgement import Judgement, Verdict

SMALLEST_SIDE = 32
"""Pixels of a clip's side, at least, unless one is given."""


@dataclass(frozen=True)
class Finding:
    """A rule, and what it comes to."""

    rule: str
    demand: str
    """What the rule asks, in words."""
    judgement: Judgement

    @property
    def failed(self) -> bool:
        """Whether the tokenizer breaks the rule."""
        return self.judgement.verdict is Verdict.failed


def check_adapter(
    tokenizer: VideoTokenizer,
    device: str | torch.device = "cpu",
    side: int | None = None,
    fresh: Callable[[], VideoTokenizer] | None = None,
) -> Iterator[Finding]:
    """Hold a tokenizer to every rule, and give each finding as it comes; a rule that raises has failed.

    Args:
        tokenizer: ready to run on ``device``.
        device: where clips go.
        side: height and width of the clips in pixels; the smallest legal one of at least 32 if not given.
        fresh: builds the tokenizer once more, for the rule that its decoder remembers nothing.

    Raises:
        TokenizerError: if ``side`` isn't legal for the tokenizer.
    """
    multiple = tokenizer.spec.size_multiple
    if side is not None and side % multiple:
        raise TokenizerError(f"{tokenizer.spec.name} takes sides that are multiples of {multiple}, not {side}")
    probe = Probe(tokenizer, torch.device(device), side or math.ceil(SMALLEST_SIDE / multiple) * multiple, fresh)
    for name, rule in RULES.items():
        try:
            with plugin_code():
                judgement = rule(probe)
        except Exception as error:
            # An adapter's model may raise anything at all, and the other rules are still worth knowing.
            judgement = Judgement(Verdict.failed, describe(error))
        yield Finding(name, (rule.__doc__ or "").strip().splitlines()[0], judgement)


def check_named(
    name: str,
    card_folders: tuple[Path, ...],
    assignments: Sequence[str],
    device: str,
    side: int | None,
    say: Callable[[str], object],
) -> bool:
    """Hold a tokenizer of the catalog to every rule, a line for each; true if it breaks none.

    Args:
        name: a card or plugin.
        card_folders: folders with cards of the user's own.
        assignments: ``name=value`` inference settings.
        device: where it runs.
        side: height and width of the clips; ``None`` for the smallest legal one.
        say: takes the lines.

    Raises:
        ValueError: if there is no such tokenizer, or it can't be built.
    """
    settings = InferenceSettings.from_mapping(parse_assignments(list(assignments)))
    entry = catalog.tokenizers(card_folders).entry(name)
    tokenizer = entry.build(settings, device)
    counts = dict.fromkeys(Verdict, 0)
    for finding in check_adapter(tokenizer, device, side, lambda: entry.build(settings, device)):
        verdict, why = finding.judgement.verdict, finding.judgement.why
        counts[verdict] += 1
        say(f"{verdict:4}  {finding.rule:13}  {finding.demand}")
        if why:
            say(f"{'':21}{why}")
    say(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    return not counts[Verdict.failed]
