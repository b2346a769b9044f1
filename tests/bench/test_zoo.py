"""The tokenizers whose weights ship: what their cards say of them, and that they beat resizing at equal latent size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toklab.bench.metrics.psnr import decibels, frame_mse
from toklab.bench.planning.suite import load_suite
from toklab.bench.training.validation import Validation, reconstruction_quality
from toklab.tokenizers import checkpoints
from toklab.tokenizers.baselines.resize import ResizeTokenizer
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import VideoTokenizer
from toklab.tokenizers.training.recipe import load_recipe
from toklab.tokenizers.trust.weight_files import sha256_of
from torch import Tensor

ZOO = sorted(name for name, card in load_cards().items() if card.training is not None)
QUICK = "vidtok-small-fsq-4096"
"""Measured in every run of the tests; the others before a release, as their files are known by their SHA-256."""
FAMILIES = {"vidtok", "progressive", "cdt"}
MAX_TOTAL_BYTES = 60 * 2**20
BITS_OF_A_VALUE = 8
"""Of a resized picture, which is as deep as the clip."""


@pytest.fixture(scope="module")
def clips() -> list[Tensor]:
    return Validation().clips(17)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def card_of(name: str) -> Card:
    return load_cards()[name]


def weights_of(card: Card) -> Path:
    path = checkpoints.find(card)
    assert path is not None
    return path


def resizing_for(card: Card) -> VideoTokenizer:
    """Bicubic resizing to as many values as the latent has, or to values of no fewer bits than its code."""
    num_values = card.spec.latent_channels
    if card.spec.codebook_size is not None:
        num_values = math.ceil(math.log2(card.spec.codebook_size) / BITS_OF_A_VALUE)
    compressions = {
        "temporal_compression": card.spec.temporal_compression,
        "spatial_compression": card.spec.spatial_compression,
    }
    spec = replace(card_of("bicubic-4chn").spec, **compressions)
    return ResizeTokenizer(spec, {**compressions, "latent_channels": num_values, "filter": "bicubic"})


@pytest.mark.slow
def test_all_families_ship_and_take_little_room() -> None:
    cards = [card_of(name) for name in ZOO]
    assert {card.spec.family for card in cards} == FAMILIES
    assert sum(weights_of(card).stat().st_size for card in cards) < MAX_TOTAL_BYTES


@pytest.mark.parametrize("name", ZOO)
def test_a_card_tells_where_its_weights_come_from(name: str) -> None:
    card = card_of(name)
    assert card.training is not None
    assert card.checkpoint.sha256 == sha256_of(weights_of(card))
    recipe = load_recipe(card.training.recipe)
    assert recipe.tokenizer["name"] == name
    assert card.training.steps == recipe.optimization.steps
    assert card.training.seed == recipe.optimization.seed
    assert card.training.command.startswith(f"toklab train {recipe.name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == QUICK else pytest.mark.thorough) for name in ZOO]
)
def test_the_weights_are_as_good_as_the_card_says(name: str, clips: list[Tensor]) -> None:
    card = card_of(name)
    assert card.training is not None
    measured = reconstruction_quality(build_tokenizer(card), clips)
    # Float16 in the file may take 0.05 dB.
    assert measured["psnr"] == pytest.approx(card.training.psnr, abs=0.06)


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ZOO)
def test_trained_tokenizers_beat_resizing_at_equal_latent_size(name: str, clips: list[Tensor]) -> None:
    card = card_of(name)
    assert card.training is not None
    resizing = resizing_for(card)
    resized = [resizing.decode(resizing.encode(clip)).clamp(-1, 1) for clip in clips]
    psnr = np.concatenate([decibels(frame_mse(*pair).numpy()).ravel() for pair in zip(clips, resized, strict=True)])
    assert card.training.psnr > psnr.mean()


def test_the_demo_runs_all_of_them() -> None:
    assert set(ZOO) <= set(load_suite("demo").tokenizers)
