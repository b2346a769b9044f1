"""The rules of the conformance test: what every tokenizer must do, each checked on small clips."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .adapter_probe import Outcome, Probe, encoded_difference, tensor_difference
from .causality_rule import check_causality
from .judgement import PASSED, Judgement, Verdict, failed
from .spec_rule import check_spec

WIDE_RANGE = 1.5
"""Magnitude that reconstructions of natural clips hardly ever exceed."""

SHARE_OUTSIDE = 0.01
"""Share of values beyond :data:`WIDE_RANGE` from which on a warning is given."""


def check_lengths(probe: Probe) -> Judgement:
    """As many frames, of the same size, come out as went in: every short length, a few longer ones, an odd size."""
    rule = probe.tokenizer.spec.frame_rule
    lengths = sorted({*range(1, 2 * rule.multiple + rule.offset + 1), probe.legal_length(3 * probe.step + 1)})
    shapes = [(num_frames, probe.side, probe.side) for num_frames in lengths]
    shapes.append((probe.legal_length(1), probe.side + 3, probe.side + 10))
    problems = []
    for shape in shapes:
        video = probe.clip(shape[0], 0, *shape[1:])
        try:
            decoded = probe.run(video).video
        except Exception as error:
            # An adapter's model may raise anything at all.
            problems.append(f"{_words(shape)}: {type(error).__name__}: {error}")
            continue
        if decoded.shape != video.shape:
            problems.append(f"{_words(shape)} come back as {tuple(decoded.shape)}")
    return failed("; ".join(problems)) if problems else Judgement(Verdict.passed, f"{len(shapes)} shapes")


def _words(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]} frames of {shape[1]}×{shape[2]}"


def check_input(probe: Probe) -> Judgement:
    """It leaves its input alone, and gives back memory of its own."""
    video = probe.clip(probe.legal_length(probe.first + probe.step))
    given = video.clone()
    decoded = probe.run(given).video
    if not torch.equal(given, video):
        return failed("the clip itself was changed; work on a copy, as with video = video * 2")
    if decoded.untyped_storage().data_ptr() == given.untyped_storage().data_ptr():
        return failed("the reconstruction shares its memory with the clip")
    return PASSED


def check_memoryless(probe: Probe) -> Judgement:
    """A fresh instance decodes the same from what encode returned: the decoder remembers nothing of the encoder."""
    if probe.fresh is None:
        return Judgement(Verdict.skipped, "no second instance could be built")
    video = probe.clip(probe.legal_length(probe.first + probe.step))
    first = probe.run(video)
    with torch.random.fork_rng():
        again = probe.fresh().decode(first.encoded)
    difference = tensor_difference(first.video, again, exact=True)
    return failed(f"a fresh instance decodes the same encoding to another clip: {difference}") if difference else PASSED


def check_determinism(probe: Probe) -> Judgement:
    """The same clip and generators give the same bits, whatever the state of torch's own generator."""
    clip = probe.clip(probe.legal_length(probe.first + probe.step))
    first, second = probe.run(clip, (3,), global_seed=0), probe.run(clip, (3,), global_seed=99)
    return _judge_exact(first, second, "with the same generator")


def check_noise(probe: Probe) -> Judgement:
    """Seeds matter only where the settings sample the posterior, or the encoding names the decoder's noise."""
    clip = probe.clip(probe.legal_length(probe.first + probe.step))
    first, second = probe.run(clip, (1,)), probe.run(clip, (2,))
    spec, settings = probe.tokenizer.spec, probe.tokenizer.settings
    samples_posterior = settings.posterior == "sample" and spec.regularizer == "kl"
    if not samples_posterior and not first.encoded.noise_seeds:
        return _judge_exact(first, second, "with other seeds, though no noise is declared")
    if not samples_posterior and (difference := encoded_difference(first.encoded, second.encoded, exact=True)):
        return failed(f"the encoding depends on the seed, though only the decoder declares noise: {difference}")
    if torch.equal(first.video, second.video):
        return Judgement(Verdict.warned, "noise is declared, but seeds change nothing")
    return Judgement(Verdict.passed, "noise is declared and follows the seed")


def _judge_exact(first: Outcome, second: Outcome, when: str) -> Judgement:
    difference = encoded_difference(first.encoded, second.encoded, exact=True)
    if difference:
        return failed(f"encoding twice {when}: {difference}")
    difference = tensor_difference(first.video, second.video, exact=True)
    return failed(f"decoding twice {when}: {difference}") if difference else PASSED


def check_batches(probe: Probe) -> Judgement:
    """Two clips in a batch give what each gives alone."""
    num_frames = probe.legal_length(probe.first + probe.step)
    clips = [probe.clip(num_frames, seed) for seed in (0, 1)]
    together = probe.run(torch.cat(clips), (5, 6))
    if together.encoded.batch_size != 2:
        return failed(f"the encoding of 2 clips has the batch size {together.encoded.batch_size}")
    for index, clip in enumerate(clips):
        alone = probe.run(clip, (5 + index,))
        if problem := _difference_in_batch(together, alone, index):
            return failed(f"clip {index} of a batch differs from the clip alone: {problem}")
    return PASSED


def _difference_in_batch(together: Outcome, alone: Outcome, index: int) -> str:
    selected = together.encoded.select(index)
    if difference := encoded_difference(selected, alone.encoded, exact=False):
        return difference
    if not all(torch.equal(a, b) for a, b in zip(selected.codes, alone.encoded.codes, strict=True)):
        return ""
    return tensor_difference(together.video[index : index + 1], alone.video, exact=False)


def check_range(probe: Probe) -> Judgement:
    """A smooth clip comes back finite, and roughly in [-1, 1]."""
    decoded = probe.run(probe.clip(probe.legal_length(probe.first + probe.step))).video
    if not decoded.isfinite().all():
        return failed(f"{int((~decoded.isfinite()).sum())} values of the reconstruction are NaN or infinite")
    outside = float((decoded.abs() > WIDE_RANGE).float().mean())
    low, high = float(decoded.min()), float(decoded.max())
    why = f"values lie in {low:.2f} … {high:.2f}"
    if outside > SHARE_OUTSIDE:
        return Judgement(Verdict.warned, f"{why}, {100 * outside:.0f} % of them beyond ±{WIDE_RANGE}")
    return Judgement(Verdict.passed, why)


def check_nan(probe: Probe) -> Judgement:
    """NaN in a clip raises an error that says so, or stays in that clip of the batch."""
    num_frames = probe.legal_length(probe.first + probe.step)
    healthy, ill = probe.clip(num_frames), probe.clip(num_frames, seed=1)
    ill[0, 0, -1] = float("nan")
    try:
        together = probe.run(torch.cat([healthy, ill]), (5, 6))
    except Exception as error:
        # An adapter's model may raise anything at all.
        if isinstance(error, ValueError) and any(word in str(error).lower() for word in ("nan", "finite")):
            return Judgement(Verdict.passed, f"refused: {error}")
        return failed(f"NaN in the clip raises an error that doesn't name it: {type(error).__name__}: {error}")
    if difference := _difference_in_batch(together, probe.run(healthy, (5,)), 0):
        return failed(f"NaN in one clip changes another of the batch: {difference}")
    if together.video[1].isfinite().all():
        return Judgement(Verdict.warned, "NaN in a clip leaves no trace in its reconstruction")
    return Judgement(Verdict.passed, "NaN stays in its clip")


def check_memory(probe: Probe) -> Judgement:
    """Once its results are gone, a forward pass leaves no more tensors behind than the one before."""
    video = probe.clip(probe.legal_length(probe.first + probe.step))
    held = []
    for _ in range(3):
        probe.run(video)
        held.append(probe.live_bytes())
    if held[2] > held[1]:
        return failed(f"each forward pass keeps {(held[2] - held[1]) / 1024:.0f} KiB of tensors")
    return PASSED


RULES: dict[str, Callable[[Probe], Judgement]] = {
    "spec": check_spec,
    "lengths": check_lengths,
    "input": check_input,
    "fresh decoder": check_memoryless,
    "causality": check_causality,
    "determinism": check_determinism,
    "noise": check_noise,
    "batches": check_batches,
    "range": check_range,
    "nan": check_nan,
    "memory": check_memory,
}
"""Every rule by its name; the first line of a rule's docstring says what it asks."""
