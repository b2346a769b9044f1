"""Parameters and multiply-adds of the cards."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_tokenizers import Average
from toklab.bench.catalog.catalog import tokenizers
from toklab.bench.catalog.complexity import Complexity, measure_complexity, measure_facts
from toklab.bench.catalog.in_memory import InMemoryTokenizer
from toklab.bench.cli.estimates import estimate
from toklab.bench.planning.cell import Cell
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from torch import nn

SMALL = load_protocol("vidtok").derive(height=32, width=32)


def test_released_model_has_the_published_size() -> None:
    counted = measure_complexity(tokenizers().entry("vidtok_kl_causal_488_4chn"), 17, 256, 256)
    assert counted.params_total == 157_451_663
    assert counted.macs_total == 10_345_345_187_840
    assert counted.facts()["flops_total"] == 2 * 10_345_345_187_840


@pytest.mark.goldens
@pytest.mark.slow
def test_every_card_equals_the_official_counts(shared: Path) -> None:
    columns = {
        "params_total": "params_total",
        "params_encoder": "params_encoder",
        "params_decoder": "params_decoder",
        "macs_encoder": "macs_enc",
        "macs_decoder": "macs_dec",
        "macs_total": "macs_total",
    }
    catalog = tokenizers()
    with (shared / "specs/vidtok_params_macs.csv").open() as file:
        for row in csv.DictReader(file):
            num_frames = int(row["input"].split("x")[2])
            counted = measure_complexity(catalog.entry(row["config"]), num_frames, 256, 256)
            assert {name: getattr(counted, name) for name in columns} == {
                name: int(row[column]) for name, column in columns.items()
            }, row["config"]


def test_facts_of_a_discrete_tokenizer() -> None:
    facts = measure_facts(tokenizers().entry("vidtok-tiny-fsq-32768"), load_protocol("vidtok"))
    assert facts["codebook_size"] == 32768
    assert facts["num_codebooks"] == 1
    assert facts["macs_total"] == facts["macs_encoder"] + facts["macs_decoder"]


@pytest.mark.parametrize("name", ["bicubic-4chn", "h264-32768"])
def test_without_networks_nothing_is_counted(name: str) -> None:
    counted = measure_complexity(tokenizers().entry(name), 17, 64, 64)
    assert counted == Complexity(reason="it has no networks")
    assert counted.facts() == {}


class Idle(Average):
    """Has a network, and doesn't run it."""

    def modules(self) -> dict[str, nn.Module]:
        return {"encoder": nn.Conv3d(3, 3, 1)}


def test_a_network_that_computes_nothing_is_an_error_and_not_a_zero() -> None:
    counted = measure_complexity(InMemoryTokenizer(Idle()), 5, 32, 32)
    assert counted.macs_total is None
    assert counted.reason == "its encoder computed nothing at 5×32×32"


@pytest.mark.slow
def test_what_is_padded_counts_as_it_runs() -> None:
    counted = measure_complexity(tokenizers().entry("allegro"), 16, 256, 256)
    assert counted.macs_encoder is not None
    assert counted.macs_encoder > 1e12


def macs(name: str, settings: InferenceSettings) -> float:
    return measure_facts(tokenizers().entry(name), SMALL, settings)["macs_total"]


@pytest.mark.slow
def test_every_denoising_step_counts() -> None:
    one, two, four = (macs("cdt-tiny-small", InferenceSettings(steps=steps)) for steps in (1, 2, 4))
    assert one == macs("cdt-tiny-small", InferenceSettings())
    assert two > 1.5 * one
    assert four - two == 2 * (two - one)


@pytest.mark.slow
def test_what_overlapping_tiles_compute_twice_counts_twice() -> None:
    whole = InferenceSettings()
    assert macs("vidtok-tiny-kl-4chn", replace(whole, tile_size=16, tile_overlap=8)) > 2 * macs(
        "vidtok-tiny-kl-4chn", whole
    )


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "bfloat16"},
        {"autocast": "bfloat16"},
        {"compile": "default"},
        {"memory_format": "channels_last_3d"},
        {"posterior": "sample", "seed": 1},
    ],
)
def test_settings_that_change_no_operation_leave_the_count(settings: dict[str, Any]) -> None:
    name, plain = "cdt-tiny-small", measure_facts(tokenizers().entry("cdt-tiny-small"), SMALL)
    assert measure_facts(tokenizers().entry(name), SMALL, InferenceSettings(**settings)) == plain
    with_steps = InferenceSettings(steps=2, **settings)
    assert macs(name, with_steps) == macs(name, InferenceSettings(steps=2)) > plain["macs_total"]


@pytest.mark.slow
def test_a_model_in_memory_counts_as_its_card() -> None:
    settings = InferenceSettings(steps=3)
    built = build_tokenizer(load_cards()["cdt-tiny-small"], settings)
    assert measure_facts(InMemoryTokenizer(built), SMALL, settings)["macs_total"] == macs("cdt-tiny-small", settings)
    other = measure_complexity(InMemoryTokenizer(built), 17, 32, 32, InferenceSettings())
    assert "keeps the settings it was built with" in other.reason


@pytest.mark.slow
def test_an_estimate_counts_what_the_cell_will_run() -> None:
    cell = Cell("cdt-tiny-small", "videos", None, SMALL, InferenceSettings(steps=4), ("psnr",))
    (estimated,) = estimate([cell], [], [], 1, None, None, 1e-3)
    assert estimated.forward.value == macs("cdt-tiny-small", cell.settings) / 1e9
