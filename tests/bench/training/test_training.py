"""Trainings from recipe to card, and every shipped recipe for a step or two."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toklab.bench.training import validation as training_validation
from toklab.bench.training.training import TrainingOptions, run_training
from toklab.bench.training.validation import Validation, reconstruction_quality
from toklab.datasets.folder import FolderDataset
from toklab.datasets.identity import list_identity
from toklab.datasets.interface import VideoSource
from toklab.datasets.protocol import load_protocol
from toklab.datasets.readers.choice import open_reader
from toklab.datasets.video_writer import write_video
from toklab.tokenizers import checkpoints
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.recipe import load_recipe, shipped_recipes
from toklab.tokenizers.trust.weight_files import sha256_of
from typer.testing import CliRunner

TINY = """
extends = "{base}"
name = "{name}"
objective = "{objective}"
{init}

[data]
size = 16
scales = [1]
strides = [1]
synthetic_clips = 2
synthetic_share = {synthetic_share}

[validation]
size = 16
num_clips = 1

[optimization]
steps = 2
batch_size = 1
log_every = 1
checkpoint_every = 1
"""

SMALL = sorted(name for name in shipped_recipes() if "paper" not in name)
"""Those of full size take two steps in tests/perf."""
RecipeWriter = Callable[..., Path]


@pytest.fixture(autouse=True)
def _small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One short clip in place of the built-in sample, which takes seconds to make."""
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")
    frames = np.random.default_rng(0).integers(0, 255, (17, 64, 64, 3), dtype=np.uint8)
    (tmp_path / "held-out").mkdir()
    write_video(tmp_path / "held-out" / "clip.mp4", frames, 30.0, "source")
    monkeypatch.setattr(training_validation, "SampleDataset", lambda: FolderDataset(tmp_path / "held-out"))


@pytest.fixture
def write_recipe(tmp_path: Path) -> RecipeWriter:
    """Writes ``NAME.toml``: a shipped recipe for two steps on clips of 16 pixels."""

    def write(base: str, *, name: str = "", init: str | None = None, synthetic_share: float = 1.0) -> Path:
        name = name or base
        path = tmp_path / f"{name}.toml"
        text = TINY.format(
            base=base,
            name=name,
            objective=load_recipe(base).objective,
            init="" if init is None else f'init = "{init}"',
            synthetic_share=synthetic_share,
        )
        path.write_text(text)
        return path

    return write


@pytest.fixture
def stages(tmp_path: Path, write_recipe: RecipeWriter) -> Callable[[str], Path]:
    """Trains a recipe in ``out/NAME`` for two steps, after the ones it starts from."""

    def train(name: str) -> Path:
        recipe = load_recipe(name)
        if recipe.init:
            train(recipe.init)
        return run_training(write_recipe(name), TrainingOptions(tmp_path / "out" / name))

    return train


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", SMALL)
def test_every_small_recipe_trains_and_leaves_a_tokenizer(stages, name: str) -> None:
    path = stages(name)
    recipe = load_recipe(name)
    card = load_cards([path.parent])[recipe.tokenizer["name"]]
    assert card.training is not None
    assert (card.training.recipe, card.training.steps) == (name, 2)
    assert card.training.data == "2 synthetic clips (100% of the batches)"
    assert card.training.data_hash == "none"
    assert card.training.recipe_hash == load_recipe(path.parent.parent.parent.parent / f"{name}.toml").identity
    init = path.parent.parent.parent / recipe.init / "weights" / f"{load_recipe(recipe.init or name).tokenizer['name']}"
    assert card.training.init_hash == (sha256_of(init.with_suffix(".safetensors")) if recipe.init else "none")
    with (path.parent.parent / "validation.csv").open() as file:
        rows = {int(row["step"]): float(row["psnr"]) for row in csv.DictReader(file)}
    assert rows.keys() == {0, 2}
    assert card.training.start_psnr == pytest.approx(rows[0], abs=1e-3)
    tokenizer = build_tokenizer(card)
    video = torch.rand(1, 3, 17, 16, 16) * 2 - 1
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape
    measured = reconstruction_quality(tokenizer, Validation(16, 1).clips(17))
    assert measured["psnr"] == pytest.approx(card.training.psnr, abs=0.06)


@pytest.mark.slow
def test_a_grown_model_starts_from_its_base_and_leaves_it_as_it_was(stages, tmp_path: Path) -> None:
    path = stages("progressive-8x")
    grown = build_tokenizer(load_cards([path.parent])["progressive-small-8x"])
    base = build_tokenizer(load_cards([tmp_path / "out" / "progressive-4x" / "cards"])["progressive-small-4x"])
    state = grown.model.state_dict()  # type: ignore[attr-defined]
    for key, value in base.model.state_dict().items():  # type: ignore[attr-defined]
        assert torch.equal(state[key], value), key


@pytest.mark.slow
def test_the_second_stage_leaves_the_encoder_as_it_was(stages, tmp_path: Path) -> None:
    path = stages("vidtok-kl-4chn-two-stage")
    second = build_tokenizer(load_cards([path.parent])["vidtok-small-kl-4chn-two-stage"])
    first = build_tokenizer(load_cards([tmp_path / "out" / "vidtok-kl-4chn" / "cards"])["vidtok-small-kl-4chn"])
    pairs = zip(second.modules()["encoder"].parameters(), first.modules()["encoder"].parameters(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    pairs = zip(second.modules()["decoder"].parameters(), first.modules()["decoder"].parameters(), strict=True)
    assert not all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.slow
def test_the_weights_of_an_init_that_is_not_there_are_asked_for(
    write_recipe: RecipeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "find", lambda card: None)
    with pytest.raises(TrainingError, match="toklab train progressive-4x --out"):
        run_training(write_recipe("progressive-8x"), TrainingOptions(tmp_path / "out" / "progressive-8x"))


@pytest.mark.slow
def test_the_command_trains_on_a_folder_resumes_and_says_what_it_did(
    write_recipe: RecipeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toklab.bench.cli.main import app

    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(tmp_path / "held-out" / "clip.mp4", folder)
    recipe = write_recipe("vidtok-kl-16chn", name="mine", synthetic_share=0.0)
    out = tmp_path / "out"
    arguments = ["train", str(recipe), "--data", str(folder), "--out", str(out), "--device", "cpu"]
    first = CliRunner().invoke(app, [*arguments, "--tensorboard"])
    assert first.exit_code == 0, first.output
    assert str(out / "cards" / "vidtok-small-kl-16chn.toml") in first.output

    def start_anew(*arguments: object) -> None:
        raise AssertionError("the checkpoint has the weights")

    monkeypatch.setattr("toklab.bench.training.training.start", start_anew)
    again = CliRunner().invoke(app, [*arguments, "--resume"])
    assert again.exit_code == 0, again.output
    card = load_cards([out / "cards"])["vidtok-small-kl-16chn"]
    assert card.training is not None
    assert card.training.data == "1 videos"
    assert card.training.data_hash == list_identity(FolderDataset(folder).sources())
    assert card.training.init_hash == "none"
    assert card.training.start_psnr is not None
    assert card.training.command == f"toklab train {recipe} --data clips"
    with (out / "training.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2"]
    assert (out / "validation.csv").is_file()
    assert list((out / "tensorboard").iterdir())


@pytest.mark.slow
def test_the_command_streams_a_table_and_validates_on_videos_of_ones_own(
    write_recipe: RecipeWriter, tmp_path: Path
) -> None:
    from toklab.bench.cli.main import app

    clip = tmp_path / "held-out" / "clip.mp4"
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    table = tmp_path / "videos.csv"
    table.write_text(f"path\n{clip}\nbroken.mp4\n")
    recipe = write_recipe("vidtok-kl-16chn", name="mine", synthetic_share=0.0)
    recipe.write_text(recipe.read_text().replace("num_clips = 1", 'num_clips = 1\nmetrics = ["psnr", "ssim"]'))
    out = tmp_path / "out"
    arguments = ["train", str(recipe), "--data", str(table), "--out", str(out), "--device", "cpu", "--workers", "1"]
    done = CliRunner().invoke(app, [*arguments, "--validate", str(clip.parent), "--tensorboard"])
    assert done.exit_code == 0, done.output
    listed = (out / "passed_over.txt").read_text().splitlines()
    assert len(listed) == 1
    assert "broken.mp4" in listed[0]
    card = load_cards([out / "cards"])["vidtok-small-kl-16chn"]
    best = load_cards([out / "best" / "cards"])["vidtok-small-kl-16chn"]
    assert card.training is not None
    assert best.training is not None
    assert card.training.data == "2 videos, 1 videos passed over"
    assert card.training.data_hash.startswith("listed:")
    assert "held-out" in card.training.validation
    with (out / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "2"]
    figures = {int(row["step"]): float(row["psnr"]) for row in rows}
    assert best.training.steps == max(figures, key=lambda step: figures[step])
    assert best.training.psnr == pytest.approx(max(figures.values()), abs=6e-4)
    # By the definition: frames of the first window as they are, without the bench.
    protocol = load_protocol("vidtok").derive(height=16, width=16)
    with open_reader(VideoSource("clip", clip)) as reader:
        window = protocol.windows(reader.num_frames, reader.fps, causal=True)[0]
        video = protocol.transform(reader.frames(window.frame_ids))[None]
    tokenizer = build_tokenizer(best)
    made = tokenizer.decode(tokenizer.encode(video)).clamp(-1, 1)
    errors = ((made - video) / 2).square().mean((0, 1, 3, 4)).double()
    assert best.training.psnr == pytest.approx(float((-10 * torch.log10(errors)).mean()), abs=0.01)
    assert sorted(path.name for path in (out / "samples").iterdir()) == ["step-0000000.png", "step-0000002.png"]
    assert any(b"samples" in path.read_bytes() for path in (out / "tensorboard").iterdir())


def test_validation_takes_clips_of_the_size_asked_for_and_refuses_unknown_keys() -> None:
    clips = Validation(size=16, num_clips=1).clips(5)
    assert [clip.shape for clip in clips] == [(1, 3, 5, 16, 16)]
    with pytest.raises(TrainingError, match="validation: sizes is no key"):
        Validation.from_mapping({"sizes": 3})
