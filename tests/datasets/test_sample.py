"""The built-in sample: reproducible, verified, and right for the VidTok protocol."""

from __future__ import annotations

import json
import os
from pathlib import Path

import av
import numpy as np
import pytest
from toklab.datasets import sample, sample_scenes
from toklab.datasets.interface import DatasetUnavailable
from toklab.datasets.protocol import load_protocol
from toklab.datasets.sample import CLIPS, FPS, NUM_FRAMES, SIZE, SampleClip, SampleDataset

PHOTOGRAPH = np.random.default_rng(0).random((60, 80, 3), np.float32)
SCENES = sorted({clip.scene for clip in CLIPS}, key=lambda scene: scene.__name__)


@pytest.fixture
def two_clips(monkeypatch: pytest.MonkeyPatch) -> tuple[SampleClip, ...]:
    """Only two clips, so that making them takes a second."""
    clips = tuple(clip for clip in CLIPS if clip.scene in (sample_scenes.pan, sample_scenes.cut))
    monkeypatch.setattr(sample, "CLIPS", clips)
    return clips


def test_twelve_clips_with_names_of_their_own_and_every_scene() -> None:
    assert len({clip.file_name for clip in CLIPS}) == len({clip.seed for clip in CLIPS}) == 12
    assert len(SCENES) == 12


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scenes_take_any_photograph_length_and_size(scene: sample_scenes.Scene) -> None:
    frames = scene(PHOTOGRAPH, 3, 9, (32, 48))
    assert frames.shape == (9, 32, 48, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, scene(PHOTOGRAPH, 3, 9, (32, 48)))
    assert (np.abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3)) > 0).all()
    assert scene(PHOTOGRAPH, 3, 1, (32, 48)).shape == (1, 32, 48, 3)
    assert (frames != scene(PHOTOGRAPH, 4, 9, (32, 48))).any()


@pytest.mark.slow
def test_the_cut_is_hard_and_inside_the_first_window() -> None:
    (clip,) = (clip for clip in CLIPS if clip.scene is sample_scenes.cut)
    frames = clip.scene(sample.load_photograph(clip.photograph), clip.seed, NUM_FRAMES, SIZE).astype(int)
    changes = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert changes.argmax() + 1 in range(1, 17)
    assert changes.max() > 2 * np.sort(changes)[-2]


@pytest.mark.slow
def test_clips_are_real_video_files_of_two_windows(two_clips: tuple[SampleClip, ...], tmp_path: Path) -> None:
    sources = SampleDataset(tmp_path).sources()
    assert [source.key for source in sources] == sorted(clip.file_name for clip in two_clips)
    for source, clip in zip(sources, sorted(two_clips, key=lambda clip: clip.file_name), strict=True):
        with av.open(str(source.path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", FPS)
            decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        assert len(load_protocol("vidtok").windows(len(decoded), FPS, causal=True)) == 2
        made = clip.scene(sample.load_photograph(clip.photograph), clip.seed, NUM_FRAMES, SIZE)
        error = ((decoded.astype(float) - made) ** 2).mean()
        assert 10 * np.log10(255**2 / error) > 33


@pytest.mark.slow
def test_two_generations_are_the_same_bytes(two_clips: tuple[SampleClip, ...], tmp_path: Path) -> None:
    first, second = (
        [source.path.read_bytes() for source in SampleDataset(tmp_path / name).sources()] for name in ("one", "two")
    )
    assert first == second


@pytest.mark.slow
def test_clips_are_made_once_and_damaged_ones_again(two_clips: tuple[SampleClip, ...], tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    dataset = SampleDataset(tmp_path, progress=lambda done, total: calls.append((done, total)))
    whole = [source.path.read_bytes() for source in dataset.sources()]
    assert calls == [(1, 2), (2, 2)]
    dataset.sources()
    assert len(calls) == 2
    victim = dataset.sources()[1].path
    victim.write_bytes(victim.read_bytes()[:1000])
    assert [source.path.read_bytes() for source in dataset.sources()] == whole
    assert calls[2:] == [(2, 2)]
    victim.unlink()
    dataset.sources()
    assert calls[3:] == [(2, 2)]
    (tmp_path / "manifest.json").write_text("{")
    dataset.sources()
    assert calls[4:] == [(1, 2), (2, 2)]
    assert set(json.loads((tmp_path / "manifest.json").read_text())) == {clip.file_name for clip in two_clips}
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        [*(clip.file_name for clip in two_clips), "manifest.json"]
    )


@pytest.mark.slow
def test_the_cache_is_where_the_environment_says(two_clips: tuple[SampleClip, ...]) -> None:
    (folder,) = {source.path.parent for source in SampleDataset().sources()}
    assert folder == Path(os.environ["TOKLAB_CACHE"]) / "sample" / sample.VERSION


def test_a_folder_that_cannot_be_written_is_told_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetUnavailable, match="TOKLAB_CACHE"):
        SampleDataset(tmp_path / "file" / "below").sources()
