"""Parameters and multiply-adds of the cards."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from fake_tokenizers import Average
from toklab.bench.catalog.catalog import tokenizers
from toklab.bench.catalog.complexity import Complexity, measure_complexity, measure_facts
from toklab.bench.catalog.in_memory import InMemoryTokenizer
from toklab.datasets.protocol import load_protocol
from torch import nn


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
