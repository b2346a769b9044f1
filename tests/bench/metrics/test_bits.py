"""Bits per pixel by each convention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from columns_of_windows import columns_of
from metric_windows import SPEC, estimate, make_batch, make_metric, random_video, refusal
from toklab.bench.metrics.interface import MeasuredWindow, MetricError
from toklab.tokenizers.interface import BitstreamFacts, Encoded

VIDEO = random_video(0, (2, 3, 5, 16, 24))
PIXELS = 5 * 16 * 24
PARTS = slice(0, 2), slice(2, 5)


def _windows(name: str, encoded: Encoded, source: str = "a") -> list[MeasuredWindow]:
    arrays = make_metric(name).measure(make_batch(VIDEO, VIDEO, encoded))
    return [MeasuredWindow(source, index, 5, a) for index, a in enumerate(arrays)]


CODES = Encoded(codes=(torch.zeros(2, 2, 2, 3, dtype=torch.long),), codebook_sizes=(1000,))
LATENTS = Encoded(latents=torch.zeros(2, 4, 2, 2, 3), kl_nats=torch.tensor([10.0, 30.0]))
STREAMS = Encoded(bitstreams=(b"12345", b"123"))


@pytest.mark.parametrize(
    ("encoded", "bits", "convention"),
    [(CODES, 24 * math.log2(1000), "codes"), (LATENTS, 2 * 48 * 16, "stored-16"), (STREAMS, 64, "bitstream")],
)
def test_bits_over_pixels(encoded: Encoded, bits: float, convention: str) -> None:
    outcome = estimate(make_metric("bpp"), _windows("bpp", encoded))
    assert outcome.value == pytest.approx(bits / (2 * PIXELS))
    assert convention in outcome.note
    assert (outcome.count, outcome.counted) == (10, "frames")


@pytest.mark.parametrize("given", [list, columns_of])
def test_codecs_tell_their_encoder_and_how_near_they_came_to_the_target(
    given: Callable[[list[MeasuredWindow]], Sequence[MeasuredWindow]],
) -> None:
    facts = (BitstreamFacts(50, "", 0, "x264 9"), BitstreamFacts(10, "too coarse", 1, "x264 9"))
    windows = given(_windows("bpp", replace(STREAMS, bitstream_facts=facts)))
    outcome = estimate(make_metric("bpp"), windows)
    assert outcome.value == pytest.approx((40 + 16) / (2 * PIXELS))
    assert outcome.note == (
        "bits counted by convention bitstream; x264 9; 93.3 % of the bits aimed at; "
        "1 of 2 windows miss the target: too coarse"
    )


def test_conventions_are_not_mixed() -> None:
    mixed = _windows("bpp", CODES) + _windows("bpp", STREAMS, source="b")
    for windows in (mixed, columns_of(mixed)):
        assert "bitstream, codes" in refusal(make_metric("bpp"), windows).reason


def test_bits_and_pixels_of_pieces_add_up() -> None:
    metric, encoded = make_metric("bpp"), replace(CODES, codes=tuple(codes[:1] for codes in CODES.codes))
    pieces = [metric.measure(make_batch(VIDEO[:1, :, part], VIDEO[:1, :, part], encoded))[0] for part in PARTS]
    joined = metric.join(pieces)
    assert joined["bits"].tolist() == [pytest.approx(2 * 12 * math.log2(1000))]
    assert (joined["pixels"].tolist(), joined["convention"].tolist()) == ([PIXELS], pieces[0]["convention"].tolist())


def test_information_of_the_posterior() -> None:
    assert estimate(make_metric("bpp-kl"), _windows("bpp-kl", LATENTS)).value == pytest.approx(
        40 / math.log(2) / (2 * PIXELS)
    )


def test_without_a_posterior() -> None:
    assert not make_metric("bpp-kl").applies_to(SPEC)
    with pytest.raises(MetricError, match="divergence"):
        _windows("bpp-kl", CODES)
