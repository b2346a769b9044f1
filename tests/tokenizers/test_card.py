from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from toklab.tokenizers.card import config_from
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.catalog import load_cards, shipped_cards_folder
from toklab.tokenizers.errors import CardError, TokenizerError
from toklab.tokenizers.interface import FrameRule


def test_spec_says_what_the_card_says(make_card) -> None:
    card = make_card(
        regularizer="'fsq'",
        codebook_size="64",
        codebook_levels="[8, 8]",
        frame_rule="{ multiple = 4, offset = 1 }",
        tables="[checkpoint]\nrandom_seed = 3",
    )
    spec = card.spec
    assert (spec.name, spec.codebook_size, spec.codebook_levels) == ("a-card", 64, (8, 8))
    assert spec.frame_rule == FrameRule(4, 1)
    assert spec.weights == "random (seed 3)"
    assert spec.comparison_group == "discrete"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name is missing"),
        ({"name": "'a b'"}, "name holds letters"),
        ({"name": "7"}, "name must be a string"),
        ({"causal": "1"}, "causal must be true or false"),
        ({"temporal_compression": "true"}, "temporal_compression must be a whole number"),
        ({"temporal_compression": "0"}, "temporal_compression must be at least 1"),
        ({"regularizer": "'klx'"}, "regularizer must be one of kl"),
        ({"latent_chanels": "4"}, "latent_chanels is no key of a card; there are: adapter"),
        ({"adapter": "'module'"}, "adapter is written module:callable"),
        ({"adapter": "':Tokenizer'"}, "adapter is written module:callable, not ':Tokenizer'"),
        ({"adapter": "'module:'"}, "adapter is written module:callable"),
        ({"adapter": "'....module:Tokenizer'"}, "adapter is written module:callable"),
        ({"adapter": "'my module:Tokenizer'"}, "adapter is written module:callable"),
        ({"codebook_size": "63", "codebook_levels": "[8, 8]"}, "codebook_levels multiply to 64"),
        ({"codebook_levels": "[8, 'x']"}, "codebook_levels must be a list of whole numbers"),
        ({"frame_rule": "{ multiple = 4, shift = 1 }"}, "frame_rule.shift is no key"),
        ({"frame_rule": "3"}, "frame_rule must be a table"),
        ({"tables": "[checkpoint]\nrepository = 'a/b'"}, "checkpoint names repository and file together"),
        ({"tables": "[checkpoint]\npath = 'x'\nrandom_seed = 0"}, "checkpoint names one of"),
        ({"tables": "[checkpoint]\nsha256 = 'ab'"}, "checkpoint names one of"),
        ({"tables": "[checkpoint]\npath = 'x'\nsha256 = 'ab'"}, "checkpoint.sha256 is 64 hexadecimal digits"),
        ({"tables": "[checkpoint]\npath = 'x'\nalso = { file = 'y' }"}, "checkpoint.also.path is missing"),
        (
            {"tables": "[checkpoint]\npath = 'x'\nalso = { path = 'y', sha256 = 'ab' }"},
            "checkpoint.also.sha256 is 64 hexadecimal digits",
        ),
        ({"tables": "[checkpoint]\nrandom_seed = 0\nalso = { file = 'y' }"}, "checkpoint.also goes with a repository"),
        ({"tables": "= ="}, "can't be read as a card"),
    ],
)
def test_bad_card_is_refused_with_file_and_key(write_card, changes: dict[str, str], message: str) -> None:
    path = write_card(**changes)
    with pytest.raises(CardError) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_identity_follows_what_decides_the_output_and_not_the_prose(make_card) -> None:
    card = make_card()
    assert make_card(title="'Other'", citation="'Someone'", note="'Hm'").identity == card.identity
    changes = [
        {"adapter": "'m:f'"},
        {"size_multiple": "16"},
        {"frame_rule": "{ multiple = 4 }"},
        {"tables": "[parameters]\nx = 1"},
        {"tables": "[checkpoint]\nrandom_seed = 0"},
        {"tables": "[checkpoint]\nrandom_seed = 1"},
        {"tables": "[checkpoint]\npath = 'x'"},
        {"tables": "[checkpoint]\npath = 'x'\nalso = { path = 'y' }"},
        {"tables": "[checkpoint]\npath = 'x'\nalso = { path = 'z' }"},
    ]
    assert len({card.identity, *(make_card(**change).identity for change in changes)}) == 1 + len(changes)
    training = """[training]
recipe = "r"
command = "toklab train r"
data = "2 videos"
steps = 3
seed = 0
seconds = 4
device = "CPU"
validation = "sample"
psnr = 20.0
"""
    trained = make_card(tables=training)
    assert trained.training is not None
    assert (trained.training.steps, trained.training.psnr) == (3, 20.0)
    assert trained.identity == card.identity


def test_shipped_cards_are_valid_and_named_like_their_files() -> None:
    cards = load_cards()
    assert {"bicubic-4chn", "bicubic-16chn", "h264-32768", "h264-262144"} <= set(cards)
    for name, card in cards.items():
        assert card.source.name == f"{name}.toml"
        assert card.spec.name == name
    assert len(cards) == sum(file.name.endswith(".toml") for file in shipped_cards_folder().iterdir())


def test_a_users_folder_adds_cards_and_duplicates_are_refused(write_card, tmp_path: Path) -> None:
    path = write_card()
    assert load_cards([tmp_path])["a-card"].source == path
    again = write_card("second/b.toml")
    with pytest.raises(CardError, match="'a-card' is also the name of") as caught:
        load_cards([tmp_path, tmp_path / "second"])
    assert str(path) in str(caught.value)
    assert str(again) in str(caught.value)


def test_what_a_user_trained_replaces_the_shipped_card_of_that_name(tmp_path: Path) -> None:
    shipped = load_cards()["vidtok-small-kl-4chn"]
    text = shipped.source.read_text()
    (tmp_path / "a.toml").write_text(text.replace("seed = 0", "seed = 1"))
    replaced = load_cards([tmp_path])["vidtok-small-kl-4chn"]
    assert replaced.source == tmp_path / "a.toml"
    (tmp_path / "a.toml").write_text(text[: text.index("[training]")])
    with pytest.raises(CardError, match="is also the name of"):
        load_cards([tmp_path])


def test_a_folder_without_cards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="there is no such folder"):
        load_cards([tmp_path / "absent"])
    with pytest.raises(CardError, match="holds no card"):
        load_cards([tmp_path])


def test_listing_tokenizers_loads_no_torch() -> None:
    code = """
import sys
from toklab.bench.catalog.catalog import tokenizers
assert len([(entry.describe(), entry.hint()) for entry in tokenizers()]) > 20
print("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@dataclass(frozen=True)
class Config:
    width: int
    levels: tuple[int, ...] = field(default_factory=tuple)
    norm: Literal["group", "layer"] = "group"
    share: float = 0.5
    tiling: bool = False
    name: str = ""
    start: float | None = None
    prefixes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def test_parameters_become_the_fields_of_a_config_and_lists_tuples() -> None:
    assert config_from(Config, {"width": 8, "levels": [1, 2]}, "X") == Config(8, (1, 2))
    given = {"width": 8, "share": 1, "start": None, "prefixes": ["a"], "options": {"b": 1}, "tiling": True, "name": "n"}
    assert config_from(Config, given, "X").share == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"wide": 8}, "X parameters: unknown wide, missing width; there are: levels, name, norm"),
        ({"width": 8, "norm": "batch"}, "X parameters: norm must be one of group, layer, not 'batch'"),
        ({"width": "8"}, "X parameters: width must be a whole number, not '8'"),
        ({"width": 8.0}, "X parameters: width must be a whole number, not 8.0"),
        ({"width": True}, "X parameters: width must be a whole number, not True"),
        ({"width": 8, "share": "1"}, "X parameters: share must be a number, not '1'"),
        ({"width": 8, "share": False}, "X parameters: share must be a number, not False"),
        ({"width": 8, "start": "1"}, "X parameters: start must be a number, not '1'"),
        ({"width": 8, "tiling": 1}, "X parameters: tiling must be true or false, not 1"),
        ({"width": 8, "name": 1}, "X parameters: name must be a string, not 1"),
        ({"width": 8, "levels": 4}, "X parameters: levels must be a list in which each is a whole number, not 4"),
        ({"width": 8, "levels": [4, 1.5]}, "X parameters: levels must be a list in which each is a whole number"),
        ({"width": 8, "prefixes": "a"}, "X parameters: prefixes must be a list in which each is a string, not 'a'"),
        ({"width": 8, "options": [1]}, r"X parameters: options must be a table, not \[1\]"),
    ],
)
def test_wrong_parameters_are_named_together(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        config_from(Config, parameters, "X")
