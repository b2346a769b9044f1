from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.export import initial_card
from toklab.tokenizers.training.recipe import Recipe, load_recipe, shipped_recipes

MINIMAL = 'name = "mine"\nobjective = ".vidtok.objective:VidTokObjective"\n[tokenizer]\nname = "mine"\n'


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes_are_valid_and_named_like_their_files(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert initial_card(recipe).spec.title
    if recipe.init:
        assert recipe.init in shipped_recipes()


def test_names_of_shipped_tokenizers_are_unique() -> None:
    names = [initial_card(load_recipe(name)).name for name in shipped_recipes()]
    assert len(set(names)) == len(names)


def test_a_recipe_overrides_what_it_extends_table_by_table(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        MINIMAL + '[tokenizer.parameters]\nch = 8\nregularizer = { kind = "fsq", levels = [8] }\n'
        "[optimization]\nsteps = 5\nlearning_rate = 1\n"
    )
    (tmp_path / "own.toml").write_text(
        'extends = "base.toml"\n[tokenizer.parameters]\nregularizer = { kind = "kl" }\n[optimization]\nsteps = 7\n'
    )
    recipe = load_recipe(tmp_path / "own.toml")
    assert recipe.tokenizer["parameters"] == {"ch": 8, "regularizer": {"kind": "kl"}}
    assert recipe.optimization.steps == 7
    assert recipe.optimization.learning_rate == 1.0


def test_identity_follows_what_decides_the_weights(tmp_path: Path) -> None:
    def identity(text: str) -> str:
        (tmp_path / "recipe.toml").write_text(MINIMAL + text)
        return load_recipe(tmp_path / "recipe.toml").identity

    plain = identity("")
    assert identity("[optimization]\nlog_every = 3\n") == plain
    assert identity("[optimization]\nseed = 3\n") != plain
    assert identity("[data]\nsize = 32\n") != plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "can't be read as a recipe"),
        ("[optimization]\nstep = 1\n", "optimization: step is no key"),
        ("[optimization]\nsteps = 1.5\n", "steps must be a whole number"),
        ('[optimization]\nschedule = "linear"\n', "schedule must be one of cosine, constant"),
        ("grow = 3\n", "grow must be a string"),
        ('extends = "vidtok-kl"\n', "extends: there is no recipe vidtok-kl; did you mean"),
        ("[terms]\nssim = -1\n", "ssim must be a number from 0"),
        ("[terms]\nlpips_dropout = 1\n", "lpips_dropout must be true or false"),
        ("[optimization]\naccumulated_batches = 0\n", "optimization: accumulated_batches must be at least 1"),
        ("[optimization]\nvalidate_every = 0\n", "optimization: validate_every must be at least 1"),
        ("[optimization]\nlearning_rate = nan\n", "learning_rate must be a number from 0"),
        ("[optimization]\nbetas = [0.9]\n", r"betas must be a list of two numbers, not \[0.9\]"),
        ("parameters = 3\n", "parameters must be a table, not 3"),
        ("[extra]\n", "extra is no key"),
    ],
)
def test_bad_recipes_are_refused_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    # Keys outside of tables come first.
    path.write_text(MINIMAL + text if text.startswith("[") else text + MINIMAL)
    with pytest.raises(TrainingError, match=message) as caught:
        load_recipe(path)
    assert "bad.toml" in str(caught.value)


def test_unknown_names_circles_and_growth_from_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"no recipe vidtok-kl; did you mean vidtok-kl-4.*; give a TOML file, .*vidtok"
    ):
        load_recipe("vidtok-kl")
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(TrainingError, match="extends itself"):
        load_recipe(tmp_path / "a.toml")
    (tmp_path / "c.toml").write_text('grow = ".progressive.model:grow"\n' + MINIMAL)
    with pytest.raises(TrainingError, match="grow needs init"):
        load_recipe(tmp_path / "c.toml")


def test_fields_that_came_later_leave_identities_as_they_were() -> None:
    recipe = Recipe("mine", "a:b", {"name": "mine"})
    # What it was before there was any of them; another one would orphan checkpoints.
    assert recipe.identity == "c60cedd10bb6f017"
    changed = {
        "terms": {"adversarial_weighting": "adaptive", "discriminator_layers": 2, "lpips_dropout": True},
        "optimization": {"accumulated_batches": 2, "compile": True},
    }
    seen = {recipe.identity}
    for section, values in changed.items():
        for name, value in values.items():
            table = dataclasses.replace(getattr(recipe, section), **{name: value})
            seen.add(dataclasses.replace(recipe, **{section: table}).identity)
    assert len(seen) == 6
