"""The rules of the conformance test: what every tokenizer must do, each checked on small clips."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from ...tokenizers.interface import Encoded, FrameRule, TokenizerSpec
from .adapter_probe import FramewiseGroupNorms, Outcome, Probe, encoded_difference, tensor_difference

WIDE_RANGE = 1.5
"""Magnitude that reconstructions of natural clips hardly ever exceed."""

SHARE_OUTSIDE = 0.01
"""Share of values beyond :data:`WIDE_RANGE` from which on a warning is given."""


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


def _failed(why: str) -> Judgement:
    return Judgement(Verdict.failed, why)


def check_spec(probe: Probe) -> Judgement:
    """What comes out of the encoder is what the spec promises: shapes, codebooks, ranges, bits."""
    tokenizer = probe.tokenizer
    spec = tokenizer.spec
    num_frames = probe.legal_length(probe.first + probe.step)
    encoded = probe.encode(torch.cat([probe.clip(num_frames, seed) for seed in (0, 1)]), (0, 1))
    problems = [
        *_shape_problems(spec, encoded, tokenizer.legal_shape(num_frames, probe.side, probe.side)),
        *_code_problems(spec, encoded),
        *_bit_problems(spec, encoded),
    ]
    return _failed("; ".join(problems)) if problems else PASSED


def _shape_problems(spec: TokenizerSpec, encoded: Encoded, legal: tuple[int, int, int]) -> list[str]:
    if spec.regularizer == "codec":
        return [] if len(encoded.bitstreams) == 2 else [f"{len(encoded.bitstreams)} bitstreams for 2 clips"]
    if encoded.latents is None:
        return ["the encoding holds no latents"]
    problems = []
    num_frames, height, width = legal
    first = 1 if spec.causal else 0
    frames = first + math.ceil((num_frames - first) / spec.temporal_compression)
    rows, columns = (math.ceil(side / spec.spatial_compression) for side in (height, width))
    shape = tuple(encoded.latents.shape)
    if len(shape) != 5 or shape[0] != 2:
        return [f"latents have the shape {shape} instead of (B, C, t, h, w) with B = 2"]
    # A resized clip has as many values as the latent, but a shape of its own.
    if spec.regularizer != "resize" and shape[2:] != (frames, rows, columns):
        problems.append(
            f"latents have (t, h, w) = {shape[2:]} where the spec's compression gives {frames, rows, columns}"
        )
    if spec.regularizer != "resize" and spec.latent_channels not in (None, shape[1]):
        problems.append(f"latents have {shape[1]} channels, the spec says {spec.latent_channels}")
    problems += [
        f"codes have the shape {tuple(codes.shape)} beside latents of {shape}"
        for codes in encoded.codes
        if spec.num_codebooks == 1 and tuple(codes.shape) != (shape[0], *shape[2:])
    ]
    return problems


def _code_problems(spec: TokenizerSpec, encoded: Encoded) -> list[str]:
    expected = spec.num_codebooks if spec.is_discrete else 0
    if len(encoded.codes) != expected:
        return [f"{len(encoded.codes)} tensors of codes where the spec says {expected} codebooks"]
    problems = []
    if spec.codebook_size is not None and encoded.codebook_sizes != (spec.codebook_size,) * expected:
        problems.append(f"codebook sizes are {encoded.codebook_sizes}, the spec says {expected} × {spec.codebook_size}")
    if spec.codebook_levels and math.prod(spec.codebook_levels) != spec.codebook_size:
        problems.append(f"levels {spec.codebook_levels} don't multiply to the codebook size {spec.codebook_size}")
    for codes, size in zip(encoded.codes, encoded.codebook_sizes, strict=False):
        if codes.is_floating_point() or codes.is_complex():
            problems.append(f"codes are {codes.dtype}, no integers")
        elif int(codes.min()) < 0 or int(codes.max()) >= size:
            problems.append(f"codes lie in {int(codes.min())} … {int(codes.max())}, outside 0 … {size - 1}")
    return problems


def _bit_problems(spec: TokenizerSpec, encoded: Encoded) -> list[str]:
    problems = []
    if len(encoded.bits) != 2 or not all(bits > 0 for bits in encoded.bits):
        problems.append(f"bits of two clips are {encoded.bits}")
    if spec.regularizer == "kl":
        nats = encoded.kl_nats
        if nats is None:
            problems.append("a KL tokenizer gives no kl_nats")
        elif nats.shape != (2,) or not (nats.isfinite() & (nats >= 0)).all():
            problems.append(f"kl_nats are {nats.tolist()}, not one non-negative number a clip")
    return problems


def check_lengths(probe: Probe) -> Judgement:
    """As many frames, of the same size, come out as went in: every short length, a few longer ones, an odd size."""
    rule: FrameRule = probe.tokenizer.spec.frame_rule
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
    return _failed("; ".join(problems)) if problems else Judgement(Verdict.passed, f"{len(shapes)} shapes")


def _words(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]} frames of {shape[1]}×{shape[2]}"


def check_input(probe: Probe) -> Judgement:
    """It leaves its input alone, and gives back memory of its own."""
    video = probe.clip(probe.legal_length(probe.first + probe.step))
    given = video.clone()
    decoded = probe.run(given).video
    if not torch.equal(given, video):
        return _failed("the clip itself was changed; work on a copy, as with video = video * 2")
    if decoded.untyped_storage().data_ptr() == given.untyped_storage().data_ptr():
        return _failed("the reconstruction shares its memory with the clip")
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
    return (
        _failed(f"a fresh instance decodes the same encoding to another clip: {difference}") if difference else PASSED
    )


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
    return _failed(
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
        return _failed(f"the encoding depends on the seed, though only the decoder declares noise: {difference}")
    if torch.equal(first.video, second.video):
        return Judgement(Verdict.warned, "noise is declared, but seeds change nothing")
    return Judgement(Verdict.passed, "noise is declared and follows the seed")


def _judge_exact(first: Outcome, second: Outcome, when: str) -> Judgement:
    difference = encoded_difference(first.encoded, second.encoded, exact=True)
    if difference:
        return _failed(f"encoding twice {when}: {difference}")
    difference = tensor_difference(first.video, second.video, exact=True)
    return _failed(f"decoding twice {when}: {difference}") if difference else PASSED


def check_batches(probe: Probe) -> Judgement:
    """Two clips in a batch give what each gives alone."""
    num_frames = probe.legal_length(probe.first + probe.step)
    clips = [probe.clip(num_frames, seed) for seed in (0, 1)]
    together = probe.run(torch.cat(clips), (5, 6))
    if together.encoded.batch_size != 2:
        return _failed(f"the encoding of 2 clips has the batch size {together.encoded.batch_size}")
    for index, clip in enumerate(clips):
        alone = probe.run(clip, (5 + index,))
        if problem := _difference_in_batch(together, alone, index):
            return _failed(f"clip {index} of a batch differs from the clip alone: {problem}")
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
        return _failed(f"{int((~decoded.isfinite()).sum())} values of the reconstruction are NaN or infinite")
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
        return _failed(f"NaN in the clip raises an error that doesn't name it: {type(error).__name__}: {error}")
    if difference := _difference_in_batch(together, probe.run(healthy, (5,)), 0):
        return _failed(f"NaN in one clip changes another of the batch: {difference}")
    if together.video[1].isfinite().all():
        return Judgement(Verdict.warned, "NaN in a clip leaves no trace in its reconstruction")
    return Judgement(Verdict.passed, "NaN stays in its clip")


def check_memory(probe: Probe) -> Judgement:
    """Once its results are gone, a forward pass leaves no more tensors behind than the one before."""
    video: Tensor = probe.clip(probe.legal_length(probe.first + probe.step))
    held = []
    for _ in range(3):
        probe.run(video)
        held.append(probe.live_bytes())
    if held[2] > held[1]:
        return _failed(f"each forward pass keeps {(held[2] - held[1]) / 1024:.0f} KiB of tensors")
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
