"""How fast training clips are streamed, from a cold start on, beside what a step of a shipped recipe takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from toklab.bench.training.training import build_objective, network_of
from toklab.datasets.streamed_clips import StreamedClips
from toklab.datasets.training_data import TrainingData
from toklab.datasets.training_videos import training_videos
from toklab.tokenizers.catalog import build_tokenizer
from toklab.tokenizers.training.export import initial_card
from toklab.tokenizers.training.losses import ReconstructionTerms
from toklab.tokenizers.training.recipe import load_recipe

BATCH_SIZE = 2
NUM_BATCHES = 12
RECIPE = "vidtok-kl-4chn"


@pytest.fixture
def clips() -> Path:
    """Real clips for training."""
    folder = Path(os.environ.get("TOKLAB_SHARED", "none")) / "clips" / "train"
    if not folder.is_dir():
        pytest.skip("TOKLAB_SHARED doesn't name a folder with clips")
    return folder


@pytest.mark.parametrize(
    ("num_frames", "fps", "size"), [(17, 3.0, 128), (17, 8.0, 256), (9, 0.0, 64)], ids=["3fps-128", "8fps-256", "small"]
)
def test_streamed_clips(
    benchmark, say: Callable[[str], None], clips: Path, tmp_path: Path, num_frames: int, fps: float, size: int
) -> None:
    data = TrainingData(
        num_frames, size, short_side=max(128, size), scales=(1,), fps=fps, synthetic_share=0.0, stream=True
    )

    def measure() -> tuple[float, float, float, float]:
        began = time.perf_counter()
        with StreamedClips(data, BATCH_SIZE, 0, training_videos(clips, tmp_path), num_workers=2) as loader:
            loader(0)
            first = time.perf_counter() - began
            began = time.perf_counter()
            for step in range(1, NUM_BATCHES):
                loader(step)
            frames = (NUM_BATCHES - 1) * BATCH_SIZE * num_frames / (time.perf_counter() - began)
            return first, frames, loader.pace.num_decoded / loader.pace.num_frames, len(loader.skipped)

    first, frames, decoded, skipped = benchmark.pedantic(measure, rounds=1)
    found = {"first_s": first, "frames_per_s": frames, "decoded_per_frame": decoded, "passed_over": skipped}
    benchmark.extra_info.update(found)
    say(
        f"{num_frames} frames at {fps:g} frames/s and {size} pixels: first batch after {first:.1f} s, "
        f"then {frames:.0f} frames/s by 2 workers, {decoded:.1f} decoded for each; {skipped} videos passed over"
    )


def test_what_a_step_takes(benchmark, say: Callable[[str], None]) -> None:
    recipe = load_recipe(RECIPE)
    data, plan = TrainingData.from_mapping(recipe.data), recipe.optimization
    torch.manual_seed(0)
    objective = build_objective(recipe, network_of(build_tokenizer(initial_card(recipe))), ReconstructionTerms({}))
    batch = torch.rand(plan.batch_size, 3, data.num_frames, data.size, data.size) * 2 - 1

    def step() -> None:
        objective(batch, 0)["total"].backward()

    benchmark.pedantic(step, rounds=5, warmup_rounds=1)
    need = plan.batch_size * data.num_frames / benchmark.stats.stats.median
    say(f"{RECIPE}: a forward and backward pass takes {need:.0f} frames/s of {data.size} pixels")
