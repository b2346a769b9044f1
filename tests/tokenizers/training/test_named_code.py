"""Recipes that name code run only with the user's word; all others are data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.bench.training.training import TrainingOptions, run_training
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.named_code import UntrustedRecipe, import_named, named_code, require_trust
from toklab.tokenizers.training.recipe import Recipe, load_recipe, shipped_recipes
from toklab.tokenizers.trust.cards import TRUST_VARIABLE

OWN = ".vidtok.objective:VidTokObjective"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)

    def write(**keys: str) -> Recipe:
        lines = [f'{key} = "{value}"' for key, value in {"extends": "vidtok-kl-16chn", "name": "own", **keys}.items()]
        (tmp_path / "own.toml").write_text("\n".join(lines))
        return load_recipe(tmp_path / "own.toml")

    return write


@pytest.mark.parametrize("key", ["objective", "start", "grow"])
def test_foreign_code_is_not_even_imported(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (tmp_path / "hostile_recipe.py").write_text(
        f"open({str(tmp_path / 'was_here')!r}, 'w').close()\ndef code(): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = recipe(init="vidtok-kl-16chn", **{key: "hostile_recipe:code"})
    message = rf"the recipe own names code .*, {key} = hostile_recipe:code; .*--trust-cards \(or TOKLAB_TRUST_CARDS=1\)"
    with pytest.raises(UntrustedRecipe, match=message):
        run_training(tmp_path / "own.toml", TrainingOptions(tmp_path / "out"))
    with pytest.raises(UntrustedRecipe):
        import_named(own, key)
    assert not (tmp_path / "was_here").exists()
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    assert import_named(own, key).__name__ == "code"
    assert (tmp_path / "was_here").exists()
    sys.modules.pop("hostile_recipe", None)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "..bench.api:evaluate",
        ".....os:system",
        "toklab.tokenizersx:T",
        ".baselines.bridge:subprocess.Popen",
    ],
)
def test_what_counts_as_code(recipe: Callable[..., Recipe], name: str) -> None:
    assert named_code(recipe(objective=name)) == f"objective = {name}"
    assert named_code(recipe(objective=OWN)) == ""
    assert named_code(recipe(objective=f"toklab.tokenizers{OWN}")) == ""


def test_a_name_that_our_module_merely_imports_is_not_ours(recipe: Callable[..., Recipe]) -> None:
    own = recipe(objective=".checkpoints:Path")
    require_trust(own)
    with pytest.raises(UntrustedRecipe, match=r"objective = \.checkpoints:Path isn't toklab's own"):
        import_named(own, "objective")


def test_a_name_that_is_not_there_says_so(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError, match=r"own: \.vidtok\.objective:Nothing can't be imported"):
        import_named(recipe(objective=".vidtok.objective:Nothing"), "objective")


def test_the_adapter_of_a_recipe_is_code_as_a_cards_is(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe()
    path = tmp_path / "own.toml"
    path.write_text(f'{path.read_text()}\n[tokenizer]\nadapter = "hostile_adapter:Tokenizer"\n')
    with pytest.raises(ValueError, match=r"names code that toklab doesn't ship.*hostile_adapter:Tokenizer"):
        run_training(path, TrainingOptions(tmp_path / "out"))


def test_what_toklab_ships_needs_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    recipes = [load_recipe(name) for name in shipped_recipes()]
    assert {named_code(recipe) for recipe in recipes} == {""}
    for recipe in recipes:
        for key in ("objective", "grow", "start"):
            if getattr(recipe, key):
                assert callable(import_named(recipe, key))
