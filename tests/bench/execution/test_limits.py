"""Limits spread over the videos, and copies of a video count as one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toklab.bench import evaluate, open_run
from toklab.bench.execution.dataset_windows import cut_plans
from toklab.bench.execution.options import RunOptions
from toklab.bench.planning.plan import Shard
from toklab.datasets.interface import FailedClip, VideoSource, Window
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan
from torch import Tensor


def source_plan(key: str, num_windows: int) -> SourcePlan:
    windows = tuple(Window(index, (index,)) for index in range(num_windows))
    return SourcePlan(VideoSource(key, Path(key)), key, VideoFacts(num_windows, 30.0, 8, 8, "pyav"), windows)


PLANS: list[SourcePlan | FailedClip] = [
    source_plan("a", 2),
    FailedClip("b", "", Window(-1, ()), "pyav", "can't be read"),
    source_plan("c", 3),
    source_plan("d", 0),
    source_plan("e", 1),
]


@pytest.mark.parametrize(
    ("limit", "limit_videos", "counts"),
    [
        (None, None, {"a": 2, "c": 3, "d": 0, "e": 1}),
        (1, None, {"a": 1}),
        (2, None, {"a": 1, "c": 1}),
        (4, None, {"a": 2, "c": 1, "d": 0, "e": 1}),
        (5, None, {"a": 2, "c": 2, "d": 0, "e": 1}),
        (99, None, {"a": 2, "c": 3, "d": 0, "e": 1}),
        (None, 3, {"a": 2, "c": 3}),
        (4, 3, {"a": 2, "c": 2}),
        (99, 1, {"a": 2}),
    ],
)
def test_a_limit_goes_round_the_videos(limit: int | None, limit_videos: int | None, counts: dict[str, int]) -> None:
    cut = cut_plans(iter(PLANS), limit, limit_videos)
    assert {plan.source.key: len(plan.windows) for plan in cut if isinstance(plan, SourcePlan)} == counts


def test_no_more_videos_are_opened_than_it_takes() -> None:
    drawn = iter(PLANS)
    cut_plans(drawn, 2)
    assert next(drawn) == PLANS[3]


def windows(folder: Path) -> list[tuple[str, int]]:
    (result,) = open_run(folder).results
    return [row.key for row in result.rows]


@pytest.mark.slow
def test_runs_keep_to_the_limits(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", metrics=("psnr",), limit=4)
    assert windows(tmp_path / "run") == [("a.mp4", 0), ("a.mp4", 1), ("b.mp4", 0), ("c.mp4", 0)]
    _, progress = run_suite(tmp_path / "run", metrics=("psnr",), limit_videos=2)
    assert windows(tmp_path / "run") == [("a.mp4", 0), ("a.mp4", 1), ("b.mp4", 0), ("b.mp4", 1), ("b.mp4", 2)]
    assert progress.windows == 2
    run_suite(tmp_path / "shard", metrics=("psnr",), limit=2, shard=Shard(0, 2))
    assert windows(tmp_path / "shard") == [("a.mp4", 0), ("c.mp4", 0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "--limit 0: give at least 1"),
        ({"limit": -3}, "--limit -3: give at least 1"),
        ({"limit_videos": 0}, "--limit-videos 0: give at least 1"),
        ({"batch_size": -1}, "--batch-size -1: give at least 1, or auto (from Python 0)"),
        ({"decode_workers": 0}, "--decode-workers 0: give at least 1"),
    ],
)
def test_limits_and_batches_of_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        RunOptions(**options)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        evaluate(Half(), [torch.zeros(3, 2, 8, 8)], metrics=["psnr"], progress=False, **HALF, **options)


class Half:
    """A model that darkens."""

    def encode(self, video: Tensor) -> Tensor:
        return video

    def decode(self, latents: Tensor) -> Tensor:
        return latents * 0.5


HALF = {"causal": True, "temporal_compression": 1, "spatial_compression": 1, "latent_channels": 3}


def test_clips_in_memory_keep_to_the_limits() -> None:
    clips = [torch.full((3, 2, 8, 8), 0.1 * index) for index in range(4)]
    for limits in ({"limit": 3}, {"limit_videos": 3}):
        run = evaluate(Half(), clips, metrics=["psnr"], progress=False, **limits, **HALF)
        assert list(run.windows()["source"]) == ["000000", "000001", "000002"]


def test_copies_of_a_video_are_one_source(tmp_path: Path, run_suite: Callable, video_folder: Path) -> None:
    (video_folder / "b.mp4").unlink()
    (video_folder / "c.mp4").unlink()
    for name in ("b.mp4", "c.mp4", "d.mp4"):
        shutil.copy(video_folder / "a.mp4", video_folder / name)
    run_suite(tmp_path / "run", ("average", "signs"), metrics=("psnr",))
    run = open_run(tmp_path / "run")
    assert run.table()["n"].tolist() == [8 * 17, 8 * 17]
    assert run.table()["low"].isna().tolist() == [True, True]
    (compared,) = run.compare("average", "signs").to_dict("records")
    assert (compared["windows_shared"], compared["count"]) == (8, 1)
    assert sorted(set(run.windows()["source"])) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
