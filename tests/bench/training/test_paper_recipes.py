"""The recipes of the papers at full size: their networks, their sources, and what their fields change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toklab.bench.training.training import build_objective, network_of
from toklab.datasets.training_clips import TrainingClips
from toklab.datasets.training_data import TrainingData
from toklab.datasets.video_writer import write_video
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.training.export import initial_card
from toklab.tokenizers.training.losses import ReconstructionTerms
from toklab.tokenizers.training.recipe import Recipe, load_recipe, shipped_recipes
from torch import nn

PAPERS = sorted(name for name in shipped_recipes() if "paper" in name)
KINDS = {
    "": "vidtok_kl_causal_488_4chn",
    "kl-16chn-": "vidtok_kl_causal_488_16chn",
    "fsq-4096-": "vidtok_fsq_causal_488_4096",
    "fsq-32768-": "vidtok_fsq_causal_488_32768",
    "fsq-262144-": "vidtok_fsq_causal_488_262144",
}
PUBLISHED = {f"vidtok-paper-{kind}stage{stage}": card for kind, card in KINDS.items() for stage in (1, 2)} | {
    "cdt-small-paper": "cdt-small",
    "cdt-base-paper": "cdt-base",
    "promag-4x-paper": "progressive-4x",
    "promag-8x-paper": "progressive-8x",
    "promag-16x-paper": "progressive-16x",
}
"""The card whose network each recipe trains."""
ONE_OF_EACH = ("vidtok-paper-fsq-32768-stage2", "cdt-base-paper", "promag-16x-paper")
EACH = [name if name in ONE_OF_EACH else pytest.param(name, marks=pytest.mark.thorough) for name in PAPERS]
VALUE_TABLES = ("parameters", "terms", "data", "validation", "optimization", "tokenizer.parameters")
SOURCES = ("[code]", "[readme]", "[ours]", "[abstract]", "[figure]", "[page]", "[magvit2]")


def network(recipe: Recipe) -> nn.Module:
    return network_of(build_on_meta(initial_card(recipe)))


def test_there_is_a_recipe_of_each_paper() -> None:
    assert PUBLISHED.keys() == set(PAPERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_the_network_is_that_of_the_published_card(name: str) -> None:
    recipe, card = load_recipe(name), load_cards()[PUBLISHED[name]]
    shapes, published = (
        {key: value.shape for key, value in model.state_dict().items()}
        for model in (network(recipe), network_of(build_on_meta(card)))
    )
    assert shapes == published
    facts = ("regularizer", "temporal_compression", "spatial_compression", "latent_channels", "codebook_size")
    spec = initial_card(recipe).spec
    assert {fact: getattr(spec, fact) for fact in facts} == {fact: getattr(card.spec, fact) for fact in facts}


@pytest.mark.parametrize("name", PAPERS)
def test_a_source_stands_beside_each_value(name: str) -> None:
    table, of_table = "", False
    for line in shipped_recipes()[name].read_text(encoding="utf-8").splitlines():
        sourced = any(source in line.partition("#")[2] for source in SOURCES)
        if line.startswith("["):
            table, of_table = line.partition("]")[0].strip("["), sourced
        elif " = " in line and table in VALUE_TABLES:
            assert sourced or of_table, f"{name}: {line}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vidtok-paper-stage2", "vidtok-paper-fsq-32768-stage2"])
def test_the_second_stage_trains_the_decoder_alone_on_what_the_first_left(name: str) -> None:
    recipe, first = load_recipe(name), load_recipe(load_recipe(name).init)
    assert first.name == name.replace("stage2", "stage1")
    model = network(recipe)
    trained = {id(p) for p in build_objective(recipe, model, ReconstructionTerms({})).trained_parameters()}
    encoder, decoder = model.get_submodule("encoder"), model.get_submodule("decoder")
    assert not any(id(parameter) in trained for parameter in encoder.parameters())
    assert all(id(parameter) in trained for parameter in decoder.parameters())
    assert (first.data["size"], recipe.data["size"]) == (128, 256)
    assert first.tokenizer["parameters"] == recipe.tokenizer["parameters"]


def test_the_whole_model_learns_in_the_second_stage_where_the_recipe_says_so() -> None:
    recipe = load_recipe("vidtok-paper-stage2")
    recipe = replace(recipe, parameters={**recipe.parameters, "train_encoder": True})
    model = network(recipe)
    objective = build_objective(recipe, model, ReconstructionTerms({}))
    trained = {id(parameter) for parameter in objective.trained_parameters()}
    assert all(id(parameter) in trained for parameter in model.get_submodule("encoder").parameters())


@pytest.mark.parametrize(("fps", "interval"), [(3, 8), (8, 3)])
def test_the_frame_rate_of_the_paper_and_of_its_ablation_are_a_field(tmp_path: Path, fps: int, interval: int) -> None:
    """Table 4 trains at 3 and at 8 frames/s. Every frame is of one grey value that tells its index."""
    values = np.arange(60, dtype=np.uint8) * 4
    frames = np.ascontiguousarray(np.broadcast_to(values[:, None, None, None], (60, 32, 32, 3)))
    write_video(tmp_path / "clip.mp4", frames, 24.0, "source")
    (tmp_path / "own.toml").write_text(
        f'extends = "vidtok-paper-stage1"\nname = "own"\n[data]\nfps = {fps}\n'
        "num_frames = 5\nsize = 16\nstream = false\n"
    )
    data = TrainingData.from_mapping(load_recipe(tmp_path / "own.toml").data)
    clips = TrainingClips(data, 4, 0, tmp_path, tmp_path / "cache")
    indices = ((clips(0).mean((1, 3, 4)) + 1) * 127.5 / 4).round().long()
    assert torch.equal(indices.diff(dim=1), torch.full((4, 4), interval))
    assert load_recipe("vidtok-paper-stage1").data["fps"] == 3
