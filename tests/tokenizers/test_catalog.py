from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fake_weights import WeightedTokenizer
from safetensors.torch import save_file
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards, stand_ins
from toklab.tokenizers.errors import CardError
from toklab.tokenizers.interface import CheckpointUnavailable, InferenceSettings, TokenizerError

WEIGHTED = "'fake_weights:WeightedTokenizer'"


def test_random_weights_follow_the_seed_and_are_frozen(make_card) -> None:
    card = make_card(adapter=WEIGHTED, tables="[checkpoint]\nrandom_seed = 5")
    first, second = build_tokenizer(card), build_tokenizer(card)
    assert isinstance(first, WeightedTokenizer)
    assert isinstance(second, WeightedTokenizer)
    assert torch.equal(first.scale.weight, second.scale.weight)
    assert not first.scale.training
    assert not any(parameter.requires_grad for parameter in first.scale.parameters())


def test_weights_come_from_the_checkpoint_in_the_precision_of_the_settings(make_card, tmp_path: Path) -> None:
    save_file({"weight": torch.full((1, 1), 0.5)}, tmp_path / "w.safetensors")
    card = make_card(adapter=WEIGHTED, tables="[checkpoint]\npath = 'w.safetensors'")
    tokenizer = build_tokenizer(card, InferenceSettings(precision="bfloat16"))
    assert isinstance(tokenizer, WeightedTokenizer)
    assert tokenizer.scale.weight.item() == 0.5
    assert tokenizer.scale.weight.dtype == torch.bfloat16


def test_a_path_that_is_no_string_is_refused_by_its_name(make_card) -> None:
    card = make_card(adapter=WEIGHTED, tables="[parameters]\nconfig_file = 3")
    with pytest.raises(TokenizerError, match=r"a-card: config_file in .*a\.toml is a path, hence a string, but is 3"):
        build_tokenizer(card)


def test_meta_device_needs_no_checkpoint(make_card) -> None:
    card = make_card(adapter=WEIGHTED, tables="[checkpoint]\nrepository = 'no/where'\nfile = 'x.ckpt'")
    tokenizer = build_on_meta(card)
    assert {p.device.type for m in tokenizer.modules().values() for p in m.parameters()} == {"meta"}
    with pytest.raises(CheckpointUnavailable) as caught:
        build_tokenizer(card)
    assert caught.value.hint == "toklab weights pull a-card"


@pytest.mark.parametrize("adapter", ["'no_such_module:x'", "'.baselines.resize:Nothing'"])
def test_an_adapter_that_cannot_be_imported_is_named(make_card, adapter: str) -> None:
    with pytest.raises(TokenizerError, match=r"a-card: the adapter .* can't be imported"):
        build_tokenizer(make_card(adapter=adapter))


def test_an_adapter_must_give_a_tokenizer(make_card) -> None:
    with pytest.raises(TokenizerError, match="gives a tuple, no VideoTokenizer"):
        build_tokenizer(make_card(adapter="'fake_weights:no_tokenizer'"))


def test_weights_for_a_tokenizer_without_any_are_refused(make_card) -> None:
    parameters = "temporal_compression = 4\nspatial_compression = 8\nlatent_channels = 4\nfilter = 'bicubic'\n"
    with pytest.raises(TokenizerError, match="takes no weights"):
        build_tokenizer(make_card(tables=f"[parameters]\n{parameters}[checkpoint]\nrandom_seed = 0"))


def test_a_card_stands_in_for_another(write_card, tmp_path: Path) -> None:
    write_card("cards/tiny.toml", stand_in_for="'bicubic-4chn'")
    cards = load_cards([tmp_path / "cards"])
    assert stand_ins(cards) == {"bicubic-4chn": "a-card"}
    write_card("cards/second.toml", name="'second'", stand_in_for="'bicubic-4chn'")
    with pytest.raises(CardError, match="stands in for 'bicubic-4chn' already"):
        stand_ins(load_cards([tmp_path / "cards"]))


def test_a_stand_in_for_nothing_is_refused(write_card, tmp_path: Path) -> None:
    write_card("cards/tiny.toml", stand_in_for="'nothing'")
    with pytest.raises(CardError, match=r"tiny\.toml: stand_in_for names 'nothing', but there is no such card"):
        stand_ins(load_cards([tmp_path / "cards"]))


def test_every_shipped_card_names_its_licence_and_what_to_cite() -> None:
    specs = [card.spec for card in load_cards().values()]
    assert [spec.name for spec in specs if not (spec.licence and spec.citation)] == []


def test_tokenizers_are_ranked_only_with_those_of_the_same_compression() -> None:
    """A card that names its group may differ in space: the progressive paper compares ratios in time."""
    in_time: dict[str, set[int]] = {}
    in_space: dict[str, set[int]] = {}
    for spec in (card.spec for card in load_cards().values() if card.spec.regularizer != "codec"):
        in_time.setdefault(spec.comparison_group, set()).add(spec.temporal_compression)
        if not spec.group:
            in_space.setdefault(spec.comparison_group, set()).add(spec.spatial_compression)
    mixed = {group for found in (in_time, in_space) for group, ratios in found.items() if len(ratios) > 1}
    assert mixed == set()
    assert {"continuous-16", "continuous-16-4x16x16", "discrete", "discrete-8x8x8"} <= in_time.keys()
