"""The rule on causality: a causal tokenizer looks no farther ahead than it declares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .adapter_probe import FramewiseGroupNorms, Probe, tensor_difference
from .judgement import PASSED, Judgement, Verdict, failed


def check_causality(probe: Probe) -> Judgement:
    """Of a causal tokenizer: other later frames leave the reconstruction of earlier ones as it is."""
    tokenizer = probe.tokenizer
    if not tokenizer.spec.causal:
        return Judgement(Verdict.skipped, "it is declared non-causal")
    if tokenizer.spec.regularizer == "codec":
        return Judgement(Verdict.skipped, "a codec's search for its rate looks at the whole clip")
    declared, through = tokenizer.looks_ahead, tokenizer.looks_ahead_through or "it doesn't say what"
    leak = _leak(probe, declared or 0)
    if not leak.frames:
        return PASSED
    if declared is None:
        return Judgement(Verdict.warned, f"{leak.words}, as it declares of the whole clip: {through}")
    if leak.frames <= declared:
        return Judgement(Verdict.warned, f"{leak.words}, within the {declared} that it declares: {through}")
    with FramewiseGroupNorms():
        others = _leak(probe, declared)
    beyond = f", beyond the {declared} that it declares ({through})" if declared else ""
    if others.frames <= declared:
        return Judgement(Verdict.warned, f"{leak.words}{beyond}, but only through group norms over the whole clip")
    return failed(
        f"{others.words}{beyond}; if that is the model's nature, say in looks_ahead how many frames and in "
        "looks_ahead_through what does it"
    )


@dataclass(frozen=True)
class _Leak:
    """How far a model was found to look ahead."""

    frames: int = 0
    """Frames from the first reconstruction that changed to the first frame of the clip that did."""
    words: str = ""


def _leak(probe: Probe, declared: int) -> _Leak:
    """The farthest look ahead, on a clip long enough to show one farther than ``declared`` frames."""
    first, step = probe.first, probe.step
    last = first + math.ceil(declared / step) * step + 2 * step
    num_frames = probe.legal_length(last + step)
    clip, other = probe.clip(num_frames), probe.clip(num_frames, seed=1)
    whole = probe.run(clip).video
    found = _Leak()
    for cut in (length for length in (first, first + step, last) if length):
        changed = probe.run(torch.cat([clip[:, :, :cut], other[:, :, cut:]], dim=2)).video
        for frame in range(cut - found.frames):
            if difference := tensor_difference(whole[:, :, frame], changed[:, :, frame], exact=False):
                words = f"frames from {cut} on change the reconstruction of {cut - frame} before them: {difference}"
                found = _Leak(cut - frame, words)
                break
    return found
