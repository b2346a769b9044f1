"""Methods as prose: what a reader of the paper must know to repeat the figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from toklab.bench.statistics.intervals import MIN_BOOTSTRAP_SOURCES
from toklab.bench.statistics.ratios import MIN_SOURCES
from toklab.datasets.protocol import load_protocol, protocol_names
from toklab.reports.paper.bibliography import Bibliography
from toklab.reports.paper.content import Cite
from toklab.reports.paper.facts import RunFacts
from toklab.reports.paper.methods import methods_paragraphs, protocol_in_words
from toklab.reports.report import compose_report
from toklab.reports.schema import MIN_BOOTSTRAP_VIDEOS, MIN_VIDEOS, Figure


def _fields(name: str) -> dict[str, str]:
    return {field: str(value) for field, value in load_protocol(name).model_dump().items()}


def _text(figures: list[Figure], provenance: dict[str, str], **facts: Any) -> dict[str, str]:
    paragraphs = methods_paragraphs(figures, provenance, RunFacts(**facts), Bibliography())
    return {
        paragraph.title: "".join(f"[{','.join(p.keys)}]" if isinstance(p, Cite) else str(p) for p in paragraph.text)
        for paragraph in paragraphs
    }


@pytest.mark.parametrize("name", protocol_names())
def test_every_shipped_protocol_has_words(name: str) -> None:
    words = protocol_in_words(_fields(name))
    assert words
    assert "{" not in words
    assert "None" not in words


def test_a_protocol_says_frames_windows_and_size() -> None:
    assert protocol_in_words(_fields("vidtok")) == (
        "every round(fps/30)-th frame is taken; windows have 17 frames (16 for tokenizers that aren't causal), without "
        "overlap; a short last window repeats its last frame, which is scored too; the short side is resized to 256 "
        "pixels (bilinear, antialiased) and the centre is cropped to 256×256; nothing is rounded to 8 bits"
    )
    assert "each video is one window" in protocol_in_words(_fields("vidtok-long"))
    assert "all frames are taken, at most 17 of a video" in protocol_in_words(_fields("cdt"))
    assert "each frame is measured by itself" in protocol_in_words(_fields("cdt-image"))
    assert "cropped to multiples of 16 pixels" in protocol_in_words(_fields("tokenbench"))
    assert "of each window the frames 0, 2, … alone" in protocol_in_words(_fields("vidtok-half-rate"))
    features = "distances between sets of features take one feature from each 16 frames"
    assert features in protocol_in_words(_fields("vidtok-long-clips"))
    assert features not in protocol_in_words(_fields("vidtok-long"))
    assert protocol_in_words({"height": "1"}) == ""


def test_paragraphs_name_systems_numbers_and_software(figure: Callable[..., Figure]) -> None:
    figures = [
        figure(tokenizer=name, system="S", citation="Doe, S", value=1.0, low=0.5, high=2.0, num_sources=8, count=96,
               counted="frames", weights="random (seed 0)", rank="best", rank_low=1, rank_high=2)
        for name in ("a", "b")
    ]  # fmt: skip
    provenance = {f"protocols.0123456789ab.{name}": value for name, value in _fields("vidtok").items()}
    provenance |= {"versions.toklab": "1.2", "versions.torch": "2.0", "machines": "CPU, 1 threads", "ffmpeg": "n9"}
    text = _text(figures, provenance, conventions={"psnr": "dB of frames."})
    assert text["Systems"] == (
        "We measure 2 tokenizers: S [own1] in 2 variants. "
        "Random weights, so that their figures test the harness alone: a, b."
    )
    assert text["Data and protocol"].startswith(
        "On sample [toklab,vanderwalt2014skimage] we follow the protocol vidtok [tang2024vidtok] (hash 0123456789ab): "
    )
    assert text["Data and protocol"].endswith("Figures rest on up to 8 videos, 96 frames.")
    assert text["Metrics"] == "PSNR (psnr) [huynhthu2008psnr,tang2024vidtok]: dB of frames."
    assert "bootstrap-t [efron1993bootstrap] from 8 videos on" in text["Statistics"]
    assert (
        text["Implementation"]
        == "All figures come from toklab 1.2 [toklab], with torch 2.0 and FFmpeg n9, on CPU, 1 threads."
    )
    assert "What is missing" not in text


def test_statistics_of_speeds_are_over_repetitions(figure: Callable[..., Figure]) -> None:
    usual = {"value": 1.0, "low": 0.5, "high": 2.0, "rank": "best", "rank_low": 1, "rank_high": 1}
    quality = figure(metric="psnr", num_sources=12, counted="frames", count=9, **usual)
    speed = figure(metric="flicker", counted="repetitions", count=30, **usual)
    for figures, of_videos, of_speeds in (
        ([quality], True, False),
        ([speed], False, True),
        ([quality, speed], True, True),
    ):
        text = _text(figures, {})["Statistics"]
        brief = " ".join(compose_report(figures, "", {}).methods)
        assert ("bootstrap-t" in text, "paired differences between videos" in text) == (of_videos, of_videos)
        assert ("95 % intervals are those of a median" in text, "paired ratios of repetitions" in text) == (
            of_speeds,
            of_speeds,
        )
        assert ("bootstrap-t" in brief, "95 % intervals are those of a median" in brief) == (of_videos, of_speeds)
        assert text == text.strip()


def test_the_limits_that_are_told_are_those_of_the_statistics() -> None:
    assert (MIN_VIDEOS, MIN_BOOTSTRAP_VIDEOS) == (MIN_SOURCES, MIN_BOOTSTRAP_SOURCES)


def test_what_is_missing_is_said(figure: Callable[..., Figure]) -> None:
    text = _text([figure(metric="lpips-vgg", note="no weights", hint="toklab weights pull lpips-vgg")], {})
    assert text["What is missing"] == "LPIPS: no weights; to measure it: toklab weights pull lpips-vgg."
    assert set(text) == {"Systems", "Data and protocol", "What is missing"}
    assert _text([], {}) == {}
