from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.datasets import streamed_clips
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.clip_cutter import ClipRequest, CutClip, UnusableVideo, cut_clip
from toklab.datasets.readers.worker import DecodeWorker, WorkerLost, WorkerTimeout
from toklab.datasets.streamed_clips import StreamedClips
from toklab.datasets.training_data import TrainingData
from toklab.datasets.training_videos import TrainingVideo, training_videos
from toklab.datasets.video_writer import write_video

SMALL = TrainingData(num_frames=3, size=16, short_side=32, scales=(1, 2), synthetic_share=0.0, stream=True)
NUM_VIDEOS = 7


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos of 12 frames whose brightness tells the video and, in steps of 10, the frame."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(NUM_VIDEOS):
        values = (np.arange(12) * 10 + 15 * number).astype(np.uint8)
        frames = np.broadcast_to(values[:, None, None, None], (12, 48, 64, 3))
        write_video(folder / f"{number}.mp4", np.ascontiguousarray(frames), 30.0)
    return folder


class InProcess:
    """Stands in for a decoding child: cuts in this process, which takes no start."""

    def __init__(self, timeout_s: float):
        self.timeout_s = timeout_s

    def cut(self, video: TrainingVideo, request: ClipRequest) -> CutClip:
        return cut_clip(video, request)

    def kill(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(streamed_clips, "DecodeWorker", InProcess)
        yield


def fake_cutter(cut: Callable[[TrainingVideo, ClipRequest], CutClip]) -> type[InProcess]:
    class Fake(InProcess):
        def cut(self, video: TrainingVideo, request: ClipRequest) -> CutClip:
            return cut(video, request)

    return Fake


def named_videos(count: int) -> list[TrainingVideo]:
    return [TrainingVideo(VideoSource(str(number), Path(f"/none/{number}.mp4"))) for number in range(count)]


def drawn(video: TrainingVideo, request: ClipRequest) -> CutClip:
    """A clip that tells its video and what was drawn for it."""
    shape = (request.data.num_frames, request.data.size, request.data.size, 3)
    frames = request.generator.integers(0, 256, shape, dtype=np.uint8)
    frames[0, 0, 0] = int(video.source.key)
    return CutClip(frames, request.data.num_frames)


def videos_of(batch: torch.Tensor) -> list[int]:
    """The numbers of the videos that clips of :func:`drawn` come from."""
    return ((batch[:, 0, 0, 0, 0] + 1) * 127.5).round().int().tolist()


@pytest.mark.slow
def test_clips_come_from_child_processes_that_change_nothing(videos: Path, tmp_path: Path) -> None:
    found = training_videos(videos, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_clips, "DecodeWorker", InProcess)
        with StreamedClips(SMALL, 3, 5, found) as here:
            batches = [here(step) for step in range(4)]
    with StreamedClips(SMALL, 3, 5, found, num_workers=2) as clips:
        clips.start_workers()
        assert all(torch.equal(clips(step), batch) for step, batch in enumerate(batches))
        # A jump, as a resumed training makes it.
        assert torch.equal(clips(2), batches[2])
        pace = clips.pace
    assert pace.num_clips >= 12
    assert pace.num_frames == 3 * pace.num_clips
    assert pace.num_decoded >= pace.num_frames
    assert pace.frames_per_second > 0
    assert batches[0].shape == (3, 3, 3, 16, 16)
    assert batches[0].abs().max() <= 1
    for batch in batches:
        levels = (batch.mean((1, 3, 4)) + 1) * 127.5
        assert ((levels.diff(dim=1) - 10).abs() < 1.5).all(), "successive frames differ by 10 levels"


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    num_videos=st.integers(1, 20),
    steps=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    layout=st.sampled_from([(1, 4), (2, 2), (4, 1)]),
    num_workers=st.integers(1, 4),
)
def test_a_batch_follows_from_seed_and_step_however_it_is_shared_out(
    seed: int, num_videos: int, steps: list[int], layout: tuple[int, int], num_workers: int
) -> None:
    num_processes, batch_size = layout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_clips, "DecodeWorker", fake_cutter(drawn))
        found = named_videos(num_videos)
        with StreamedClips(SMALL, 4, seed, found) as alone:
            for step in steps:
                parts = []
                for process in range(num_processes):
                    part = StreamedClips(
                        SMALL, batch_size, seed, found, num_processes=num_processes, num_workers=num_workers
                    )
                    with part:
                        parts.append(part(step, process))
                assert torch.equal(torch.cat(parts), alone(step))


def test_two_processes_take_disjoint_clips_of_one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(drawn))
    found = named_videos(24)
    taken: list[int] = []
    for process in range(2):
        with StreamedClips(SMALL, 3, 0, found, num_processes=2, num_workers=2) as clips:
            for step in range(4):
                taken += videos_of(clips(step, process))
    assert sorted(taken) == list(range(24))


def test_unusable_videos_are_said_once_and_replaced_alike_wherever_one_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(video: TrainingVideo, request: ClipRequest) -> CutClip:
        if int(video.source.key) % 3 == 0:
            raise UnreadableVideo("is broken")
        return drawn(video, request)

    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(cut))
    said: list[str] = []
    with StreamedClips(SMALL, 4, 1, named_videos(9), num_workers=2, on_passed_over=said.append) as clips:
        batches = [clips(step) for step in range(12)]
    assert sorted(said) == sorted(clips.skipped) == [f"/none/{number}.mp4: is broken" for number in (0, 3, 6)]
    assert {number % 3 for batch in batches for number in videos_of(batch)} == {1, 2}
    with StreamedClips(SMALL, 4, 1, named_videos(9)) as resumed:
        assert torch.equal(resumed(7), batches[7])


def test_a_resume_changes_nothing_where_a_video_is_damaged_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(video: TrainingVideo, request: ClipRequest) -> CutClip:
        start = int(request.generator.integers(100))
        if video.source.key == "3" and start >= 50:
            raise UnreadableVideo(f"frame {start} can't be decoded")
        return drawn(video, request)

    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(cut))
    said: list[str] = []
    with StreamedClips(SMALL, 2, 1, named_videos(6), on_passed_over=said.append) as clips:
        batches = [clips(step) for step in range(30)]
    assert len(said) == 1
    assert sum(3 in videos_of(batch) for batch in batches) > 1
    for start in range(1, 30):
        with StreamedClips(SMALL, 2, 1, named_videos(6)) as resumed:
            assert all(torch.equal(resumed(step), batches[step]) for step in range(start, 30))


def test_only_what_holds_for_every_window_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    errors = {"0": UnusableVideo("is too short"), "1": WorkerTimeout("timed out"), "2": UnreadableVideo("is damaged")}

    def cut(video: TrainingVideo, request: ClipRequest) -> CutClip:
        tried.append(video.source.key)
        if video.source.key in errors:
            raise errors[video.source.key]
        return drawn(video, request)

    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(cut))
    with StreamedClips(SMALL, 4, 1, named_videos(4)) as clips:
        for step in range(12):
            clips(step)
        assert len(clips.skipped) == 3
    assert tried.count("0") == 1
    assert tried.count("1") == 2, "a slow video has a second chance"
    assert tried.count("2") > 2


@pytest.mark.slow
def test_what_is_unusable_is_told_from_what_fails_in_a_window(videos: Path, tmp_path: Path) -> None:
    whole = bytearray((videos / "1.mp4").read_bytes())
    begin = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[begin - 8 : begin - 4], "big") - 8
    whole[begin : begin + size] = bytes(size)
    (tmp_path / "damaged.mp4").write_bytes(whole)
    worker = DecodeWorker()
    try:
        for path, num_frames, error in (
            (tmp_path / "none.mp4", 3, UnusableVideo),
            (videos / "1.mp4", 13, UnusableVideo),
            (tmp_path / "damaged.mp4", 3, UnreadableVideo),
        ):
            request = ClipRequest(replace(SMALL, num_frames=num_frames), np.random.default_rng(0))
            with pytest.raises(UnreadableVideo) as raised:
                worker.cut(TrainingVideo(VideoSource(path.name, path)), request)
            assert raised.type is error
    finally:
        worker.close()


def test_a_training_without_usable_videos_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(video: TrainingVideo, request: ClipRequest) -> CutClip:
        raise UnreadableVideo(f"{video.path}: there is no such file")

    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(cut))
    for count in (2, 1000):
        said: list[str] = []
        with (
            StreamedClips(SMALL, 1, 0, named_videos(count), num_workers=1, on_passed_over=said.append) as clips,
            pytest.raises(UnreadableVideo, match=rf"of {count} videos can't be used; the first: .*no such file"),
        ):
            clips(0)
        assert len(said) <= streamed_clips.MOST_ATTEMPTS


def test_a_lost_child_has_a_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []

    def cut(video: TrainingVideo, request: ClipRequest) -> CutClip:
        if not lost:
            lost.append(video.source.key)
            raise WorkerLost("timed out after 120 s")
        return drawn(video, request)

    monkeypatch.setattr(streamed_clips, "DecodeWorker", fake_cutter(cut))
    with StreamedClips(SMALL, 4, 0, named_videos(4)) as clips:
        clips(0)
    assert lost
    assert clips.skipped == []


def test_synthetic_clips_have_their_share(in_process: None, videos: Path, tmp_path: Path) -> None:
    synthetic = np.full((2, 3, 32, 32, 3), 255, np.uint8)
    data = replace(SMALL, synthetic_share=0.25)
    with StreamedClips(data, 4, 0, training_videos(videos, tmp_path), synthetic) as clips:
        for step in range(3):
            assert (clips(step) == 1).flatten(1).all(1).sum() == 1
        assert clips.description == "7 videos and 2 synthetic clips (25% of the batches)"


def test_clips_of_shards_are_those_of_their_files(in_process: None, videos: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    files = sorted(videos.iterdir())
    for number, members in enumerate((files[:4], files[4:])):
        with tarfile.open(packed / f"{number}.tar", "w") as archive:
            for path in members:
                archive.add(path, path.name)
    first = StreamedClips(SMALL, 8, 2, training_videos(videos, tmp_path))
    second = StreamedClips(SMALL, 8, 2, training_videos(packed, tmp_path))
    with first, second:
        assert torch.equal(first(0), second(0))


@pytest.mark.parametrize(
    ("changes", "step"), [({"strides": (1,)}, 10), ({"strides": (4,)}, 40), ({"fps": 8.0}, 40), ({"fps": 3.0}, None)]
)
def test_clips_are_sampled_at_the_rate_of_the_recipe(
    in_process: None, videos: Path, tmp_path: Path, changes: dict, step: int | None
) -> None:
    found: Sequence[TrainingVideo] = training_videos(videos, tmp_path)
    with StreamedClips(replace(SMALL, **changes), 4, 0, found) as clips:
        if step is None:
            with pytest.raises(UnreadableVideo, match=r"12 frames of .* hold no clip of 3 frames at 3 frames/s"):
                clips(0)
        else:
            levels = (clips(0).mean((1, 3, 4)) + 1) * 127.5
            assert ((levels.diff(dim=1) - step).abs() < 1.5).all()


def test_sizes_and_mirroring(tmp_path: Path) -> None:
    frames = np.zeros((3, 64, 128, 3), np.uint8)
    frames[:, :, 64:] = 200
    write_video(tmp_path / "a.mp4", frames, 30.0)
    video = training_videos(tmp_path, tmp_path)[0]
    data = TrainingData(num_frames=3, size=32, short_side=32, scales=(1,))
    cut = [cut_clip(video, ClipRequest(data, np.random.default_rng(seed))) for seed in range(12)]
    assert {clip.frames.shape for clip in cut} == {(3, 32, 32, 3)}
    rising = {bool(clip.frames[0, 0, -1, 0] > clip.frames[0, 0, 0, 0]) for clip in cut if np.ptp(clip.frames[0]) > 100}
    assert rising == {True, False}
    unmirrored = [cut_clip(video, ClipRequest(replace(data, flip=False), np.random.default_rng(s))) for s in range(12)]
    assert all(clip.frames[0, 0, -1, 0] >= clip.frames[0, 0, 0, 0] for clip in unmirrored)


def test_what_can_never_work_is_refused() -> None:
    with pytest.raises(ValueError, match="need a video"):
        StreamedClips(SMALL, 1, 0, [])
    with pytest.raises(ValueError, match="at least 1"):
        StreamedClips(SMALL, 1, 0, named_videos(1), num_workers=0)
