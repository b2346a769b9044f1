"""What is said and refused on the way to a validation's figures; test_training.py measures a real one."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from toklab.bench.cli import training_samples, training_validator
from toklab.bench.cli.training_samples import TrainingSamples
from toklab.bench.cli.training_validator import VideoValidator
from toklab.bench.training.validation import Validation
from toklab.datasets.protocol import load_protocol
from toklab.reports.charts.strips import draw_strip
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.training.errors import TrainingError

VALIDATION = Validation(size=32, num_clips=5, metrics=("psnr", "lpips-vgg"), num_samples=2)
ROW = {"metric": "psnr", "value": 20.0, "note": "", "hint": ""}


class FakeRun:
    def __init__(self, rows: list[dict[str, Any]]):
        self._rows = rows

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self._rows)


@pytest.fixture
def validator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[VideoValidator, list[str], list[Any]]:
    """A validator, what it said, and the rows that the bench gives it."""
    said: list[str] = []
    rows: list[Any] = [ROW, {"metric": "lpips-vgg", "value": math.nan, "note": "no weights", "hint": "toklab pull"}]

    def evaluate(tokenizer: Any, videos: str, **options: Any) -> FakeRun:
        assert (videos, options["limit"], options["metrics"]) == ("clips", 5, ("psnr", "lpips-vgg"))
        assert options["protocol"] == load_protocol("vidtok").derive(height=32, width=32)
        warnings.warn("1 windows failed", stacklevel=2)
        return FakeRun(rows)

    monkeypatch.setattr(training_validator, "evaluate", evaluate)
    monkeypatch.setattr(TrainingSamples, "_read", lambda self, causal: [])
    return VideoValidator("clips", VALIDATION, tmp_path, said.append), said, rows


def test_figures_and_what_is_missing_once(validator: tuple[VideoValidator, list[str], list[Any]]) -> None:
    measure, said, _ = validator
    tokenizer = build_tokenizer(load_cards()["bicubic-4chn"])
    for step in range(3):
        assert measure(tokenizer, step) == {"psnr": 20.0}
    assert said == ["validation: 1 windows failed", "validation: no lpips-vgg: no weights; toklab pull"]
    assert measure.description == "at most 5 windows of clips, protocol vidtok[height=32,width=32]"


def test_a_validation_without_the_figure_that_chooses_ends(
    validator: tuple[VideoValidator, list[str], list[Any]],
) -> None:
    measure, _, rows = validator
    rows[0] = {**ROW, "value": math.nan}
    with pytest.raises(TrainingError, match="there is no psnr of clips"):
        measure(build_tokenizer(load_cards()["bicubic-4chn"]), 0)


def test_a_validation_that_measures_nothing_ends_with_the_reason(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    measure = VideoValidator(str(empty), replace(VALIDATION, metrics=("psnr",)), tmp_path, print)
    with pytest.raises(TrainingError, match=r"validation: .*empty holds no video"):
        measure(build_tokenizer(load_cards()["bicubic-4chn"]), 0)


def test_the_direction_of_the_best(tmp_path: Path) -> None:
    def of(best: str) -> VideoValidator:
        return VideoValidator("clips", replace(VALIDATION, metrics=("psnr", best), best=best), tmp_path, print)

    assert of("psnr").is_higher_better
    assert not of("lpips-vgg").is_higher_better
    with pytest.raises(ValueError, match="no-metric"):
        of("no-metric")


@pytest.mark.parametrize(
    "values",
    [
        {"best": "ssim"},
        {"metrics": ["ssim"], "best": "ssim"},
        {"metrics": "psnr"},
        {"size": 0},
        {"size": "64"},
        {"num_samples": -1},
        {"protocol": 1},
    ],
)
def test_bad_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="validation: "):
        Validation.from_mapping({"metrics": ["psnr"], **values})


@pytest.mark.slow
def test_strips_show_the_first_and_the_last_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = torch.rand(2, 1, 3, 17, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    frames = [training_samples._middle_frame(clip) for clip in clips]
    found = [training_samples._Sample(f"{n}.mp4", clip, frames[n]) for n, clip in enumerate(clips)]
    monkeypatch.setattr(TrainingSamples, "_read", lambda self, causal: found)
    drawn: list[list[str]] = []

    def spy(frames: Any, *others: Any) -> Any:
        drawn.append([pane.label for pane in frames[0].systems])
        assert [frame.title for frame in frames] == ["0.mp4", "1.mp4"]
        assert all(0 < pane.psnr < 60 and pane.ssim < 1 for frame in frames for pane in frame.systems)
        return draw_strip(frames, *others)

    monkeypatch.setattr(training_samples, "draw_strip", spy)
    samples = TrainingSamples("clips", load_protocol("vidtok"), 2, tmp_path)
    tokenizer = build_tokenizer(load_cards()["bicubic-4chn"])
    paths = [samples.draw(tokenizer, step) for step in (0, 10, 20, 30, 40, 50, 60)]
    assert drawn[0] == ["step 0"]
    assert drawn[-1] == ["step 0", "step 30", "step 40", "step 50", "step 60"]
    assert paths[-1] == tmp_path / "samples" / "step-0000060.png"
    assert paths[-1] is not None
    with Image.open(paths[-1]) as image:
        assert image.width > image.height > 100
