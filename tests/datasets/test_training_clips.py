from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toklab.datasets import training_clips
from toklab.datasets.decoded_frames import DecodedFrames
from toklab.datasets.interface import DatasetUnavailable, UnreadableVideo
from toklab.datasets.sample import CLIPS
from toklab.datasets.synthetic_clips import COLOUR_PHOTOGRAPHS, FIRST_SEED, PHOTOGRAPHS, synthetic_clips
from toklab.datasets.training_clips import TrainingClips
from toklab.datasets.training_data import TrainingData
from toklab.datasets.training_videos import training_sources
from toklab.datasets.video_writer import write_video

SMALL = TrainingData(num_frames=5, size=16, short_side=32, synthetic_clips=3, synthetic_share=0.0)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two videos of 12 frames, every frame of one grey value that tells its index, and one that is too short."""
    folder = tmp_path / "videos"
    folder.mkdir()
    values = np.arange(12, dtype=np.uint8) * 20
    frames = np.broadcast_to(values[:, None, None, None], (12, 48, 64, 3))
    write_video(folder / "a.mp4", np.ascontiguousarray(frames), 30.0, "source")
    write_video(folder / "b.mp4", np.ascontiguousarray(frames[:, :, ::-1]), 30.0, "source")
    write_video(folder / "short.mp4", np.ascontiguousarray(frames[:3]), 30.0, "source")
    return folder


def clips(data: TrainingData, place: Path | None, tmp_path: Path, batch_size: int = 8, seed: int = 0) -> TrainingClips:
    return TrainingClips(data, batch_size, seed, place, tmp_path / "cache")


def frame_indices(batch: torch.Tensor) -> torch.Tensor:
    """The index of each frame (B, T), from its grey value."""
    return ((batch.mean((1, 3, 4)) + 1) * 127.5 / 20).round().long()


def test_batches_follow_from_seed_step_and_process(videos: Path, tmp_path: Path) -> None:
    first, second = (clips(SMALL, videos, tmp_path) for _ in range(2))
    assert first(3).shape == (8, 3, 5, 16, 16)
    assert torch.equal(first(3), second(3))
    assert not torch.equal(first(3), first(4))
    assert not torch.equal(first(3, 0), first(3, 1))
    assert not torch.equal(first(3), clips(SMALL, videos, tmp_path, seed=1)(3))
    assert first(0).abs().max() <= 1


@pytest.mark.parametrize(
    ("changes", "intervals"), [({"strides": (1,)}, {1}), ({"strides": (1, 2)}, {1, 2}), ({"fps": 15.0}, {2})]
)
def test_windows_are_random_and_keep_their_stride(
    videos: Path, tmp_path: Path, changes: dict, intervals: set[int]
) -> None:
    data = TrainingData(**{**vars(SMALL), **changes})
    indices = frame_indices(clips(data, videos, tmp_path, batch_size=32)(0))
    steps = indices.diff(dim=1)
    assert (steps == steps[:, :1]).all()
    assert set(steps.flatten().tolist()) == intervals
    assert len(indices[:, 0].unique()) > 1


def test_short_videos_are_passed_over_and_said_so(videos: Path, tmp_path: Path) -> None:
    found = clips(SMALL, videos, tmp_path)
    assert len(found.skipped) == 1
    assert "short.mp4" in found.skipped[0]
    assert found.description == "2 videos"
    with pytest.raises(UnreadableVideo, match="no video gives a clip"):
        clips(SMALL, videos / "short.mp4", tmp_path)


def test_decoded_frames_are_kept(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = clips(SMALL, videos, tmp_path)(0)
    for kept in (tmp_path / "cache").iterdir():
        kept.write_bytes(kept.read_bytes()[:-10])
    assert torch.equal(clips(SMALL, videos, tmp_path)(0), before), "what was cut off is decoded again"

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("toklab.datasets.decoded_frames.open_reader", refuse)
    assert torch.equal(clips(SMALL, videos, tmp_path)(0), before)


def test_a_list_names_videos_relative_to_itself(videos: Path) -> None:
    listed = videos / "some.txt"
    listed.write_text("b.mp4\n\n")
    assert [source.key for source in training_sources(listed)] == ["b.mp4"]
    listed.write_text("c.mp4\n")
    with pytest.raises(DatasetUnavailable, match=r"c\.mp4"):
        training_sources(listed)
    listed.write_bytes(b"caf\xe9.mp4\n")
    with pytest.raises(DatasetUnavailable, match=r"some\.txt can't be read as a list"):
        training_sources(listed)
    with pytest.raises(DatasetUnavailable, match="no file"):
        training_sources(videos / "none.txt")


@pytest.mark.slow
def test_synthetic_clips_need_no_files_and_mix_with_videos(videos: Path, tmp_path: Path) -> None:
    data = TrainingData(**{**vars(SMALL), "synthetic_share": 0.5})
    assert clips(data, None, tmp_path)(0).shape == (8, 3, 5, 16, 16)
    mixed = clips(data, videos, tmp_path, batch_size=32)
    assert mixed.description == "2 videos and 3 synthetic clips (50% of the batches)"
    flat = mixed(0).std((3, 4)).amax((1, 2)) < 0.02
    assert 5 < flat.sum() < 27


def test_larger_scales_are_averaged_down(videos: Path, tmp_path: Path) -> None:
    data = TrainingData(**{**vars(SMALL), "scales": (2,)})
    assert clips(data, videos, tmp_path)(0).shape == (8, 3, 5, 16, 16)


@pytest.mark.slow
def test_synthetic_clips_of_another_version_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    version = ""

    def make(*arguments: Any) -> Iterator[np.ndarray]:
        made.append(version)
        return synthetic_clips(*arguments)

    monkeypatch.setattr(training_clips, "synthetic_clips", make)
    data, frames = replace(SMALL, synthetic_clips=1), DecodedFrames(tmp_path, 16)
    for version in ("v1", "v1", "v2"):
        monkeypatch.setattr(training_clips, "VERSION", version)
        training_clips.synthetic_frames(data, frames)
    assert made == ["v1", "v2"]


@pytest.mark.slow
def test_synthetic_photographs_and_seeds_are_not_those_of_the_sample() -> None:
    assert not {clip.photograph for clip in CLIPS} & set(PHOTOGRAPHS)
    assert max(clip.seed for clip in CLIPS) < FIRST_SEED
    first, again = (list(synthetic_clips(len(COLOUR_PHOTOGRAPHS), 3, (16, 16))) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "values",
    [
        *({"size": 0}, {"strides": []}, {"synthetic_share": 1.5}, {"sizes": 3}),
        *({"size": "64"}, {"size": 64.5}, {"size": True}, {"strides": 1}, {"strides": ["1"]}, {"flip": "false"}),
        *({"fps": float("nan")}, {"fps": float("inf")}, {"fps": "3"}),
    ],
)
def test_bad_values_are_refused(values: dict) -> None:
    with pytest.raises(ValueError, match="training data: "):
        TrainingData.from_mapping(values)


def test_values_of_a_recipe_become_those_of_the_fields() -> None:
    data = TrainingData.from_mapping({"fps": 3, "strides": [1, 2], "flip": False})
    assert (data.fps, data.strides, data.flip) == (3.0, (1, 2), False)
