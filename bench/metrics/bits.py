"""Bits per pixel: what a tokenizer spends on a clip, by its own convention or by the information of its posterior."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from ...tokenizers.interface import BitsConvention, TokenizerSpec
from .interface import Arrays, Estimate, MeasuredWindow, MetricError, Unavailable, WindowBatch
from .ratio import RatioMetric
from .window_columns import WindowColumns

CONVENTIONS: tuple[str, ...] = get_args(BitsConvention)
"""Conventions of counting bits; a measurement stores the index."""


class _BitsOverPixels(RatioMetric):
    direction = "none"
    unit = "bit/px"
    range = (0.0, math.inf)
    display_range = (1.0, 0.0)
    decimals = 4
    needs = "encoded"
    piecewise = True
    takes_stacks = True

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The window's bits."""
        return np.asarray(window.arrays["bits"])

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """Bits and pixels added up."""
        totals = {name: np.sum([piece[name] for piece in pieces], axis=0) for name in ("bits", "pixels")}
        return {**pieces[0], **totals}

    def denominator(self, window: MeasuredWindow) -> float:
        """The window's pixels."""
        return float(window.arrays["pixels"][0])

    def denominators(self, window: MeasuredWindow) -> np.ndarray:
        """The pixels of each window."""
        return np.asarray(window.arrays["pixels"], np.float64)[:, 0]

    def count(self, windows: Sequence[MeasuredWindow]) -> int:
        """Frames."""
        if isinstance(windows, WindowColumns):
            return int(windows.num_frames.sum())
        return sum(window.num_frames for window in windows)


def _pixels(batch: WindowBatch) -> int:
    return math.prod(batch.reference.shape[2:])


class BitsPerPixel(_BitsOverPixels):
    """Bits of codes, stored latents or bitstreams over the pixels of the scored clips."""

    name = "bpp"
    title = "bpp"
    convention = (
        "bits over T·H·W of the scored clips; codes: log2 K each, stored-16: 16 bits for each latent value, "
        "bitstream: the elementary stream without container"
    )
    measurement = "encoded-bits"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``bits`` (1,) float64, ``pixels`` (1,) int64, ``convention`` (1,) int64: index into :data:`CONVENTIONS`.

        Of codecs also ``target_bits`` (1,) float64, ``encoder`` and ``off_target``, text in UTF-8, uint8.
        """
        convention = np.array([CONVENTIONS.index(batch.encoded.bits_convention)])
        pixels = np.array([_pixels(batch)])
        arrays = [{"bits": np.array([bits]), "pixels": pixels, "convention": convention} for bits in batch.encoded.bits]
        for window, facts in zip(arrays, batch.encoded.bitstream_facts, strict=False):
            window["target_bits"] = np.array([facts.target_bits])
            window["encoder"] = _pack_text(facts.encoder)
            window["off_target"] = _pack_text(facts.off_target)
        return arrays

    def note(self, windows: Sequence[MeasuredWindow]) -> str:
        """The convention of counting bits; of codecs also the encoder, and how the streams keep to their target."""
        notes = ["bits counted by convention " + ", ".join(sorted(bits_conventions(windows)))]
        aimed = [window for window in windows if "target_bits" in window.arrays] if _has_targets(windows) else []
        if aimed:
            notes += sorted({_unpack_text(window.arrays["encoder"]) for window in aimed})
            bits, target_bits = (math.fsum(float(w.arrays[name][0]) for w in aimed) for name in ("bits", "target_bits"))
            notes.append(f"{100 * bits / target_bits:.1f} % of the bits aimed at")
        missed = Counter(_unpack_text(window.arrays["off_target"]) for window in aimed)
        notes += [
            f"{missed[reason]} of {len(windows)} windows miss the target: {reason}"
            for reason in sorted(missed)
            if reason
        ]
        return "; ".join(notes)

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Bits over pixels; unavailable where windows count bits by several conventions."""
        if len(conventions := sorted(bits_conventions(windows))) > 1:
            return Unavailable(f"windows count bits differently: {', '.join(conventions)}", "run the cell again")
        return super().aggregate(windows, facts)


def _pack_text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _unpack_text(packed: np.ndarray) -> str:
    return packed.tobytes().decode()


def bits_conventions(windows: Sequence[MeasuredWindow]) -> set[str]:
    """How the bits of windows that :class:`BitsPerPixel` measured were counted; of :data:`CONVENTIONS`."""
    if isinstance(windows, WindowColumns):
        found = [np.unique(stack.arrays["convention"]) for stack in windows.stacks()]
        return {CONVENTIONS[int(index)] for indices in found for index in indices}
    return {CONVENTIONS[int(window.arrays["convention"][0])] for window in windows}


def _has_targets(windows: Sequence[MeasuredWindow]) -> bool:
    """Whether the bits of any window were aimed at."""
    if isinstance(windows, WindowColumns):
        return any("target_bits" in stack.arrays for stack in windows.stacks())
    return True


class KlBitsPerPixel(_BitsOverPixels):
    """Information of a KL posterior over the pixels of the scored clips."""

    name = "bpp-kl"
    title = "bpp (KL)"
    convention = "KL(q ‖ p) / ln 2 of the posterior over T·H·W of the scored clips"
    measurement = "kl-bits"

    def applies_to(self, spec: TokenizerSpec) -> bool:
        """Only posteriors have a divergence."""
        return spec.regularizer == "kl"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``bits`` (1,) float64 and ``pixels`` (1,) int64."""
        if batch.encoded.kl_nats is None:
            raise MetricError(f"{batch.spec.name} doesn't give the divergence of its posterior")
        bits = batch.encoded.kl_nats.double().cpu().numpy() / math.log(2)
        return [{"bits": bits[index : index + 1], "pixels": np.array([_pixels(batch)])} for index in range(len(bits))]
