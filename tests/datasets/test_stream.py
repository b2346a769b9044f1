"""The stream of clips: order, accounting, failures, time-outs, crashes and an end without leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from faulty_protocol import HANG_S, faulty_protocol
from numbered_video import write_numbered
from toklab.datasets.cache import ClipCache
from toklab.datasets.identity import content_id
from toklab.datasets.interface import WHOLE_SOURCE, Clip, FailedClip, VideoSource
from toklab.datasets.protocol import load_protocol
from toklab.datasets.readers.choice import open_reader
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.readers.worker import DecodeWorker, WorkerLost
from toklab.datasets.source_plan import SourcePlan
from toklab.datasets.stream import ClipStream

PROTOCOL = load_protocol("vidtok").derive(height=64, width=128)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[VideoSource]:
    """Two videos: ``a`` of 60 frames (4 causal windows), ``b`` of 20 (2 windows); listed in the other order."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [write_numbered(folder / "b.mp4", 20), write_numbered(folder / "a.mp4", 60, "-c:v", "mpeg4", "-q:v", "2")]
    return [VideoSource(path.stem, path) for path in paths]


def _has_ended(pid: int) -> bool:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status")
        try:
            if "\nState:\tZ" in status.read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_clips_come_in_order_and_equal_what_the_reader_and_the_protocol_give(
    sources: list[VideoSource], worker: DecodeWorker
) -> None:
    with ClipStream(sources, PROTOCOL, causal=True, workers=[worker]) as stream:
        clips = [clip for clip in stream if isinstance(clip, Clip)]
    assert [(clip.source, clip.window.index) for clip in clips] == [("a", i) for i in range(4)] + [("b", 0), ("b", 1)]
    assert [clip.reader for clip in clips] == ["pyav"] * 4 + ["decord"] * 2
    by_key = {source.key: source for source in sources}
    for clip in clips:
        source = by_key[clip.source]
        expected = PROTOCOL.transform(open_reader(source).frames(clip.window.frame_ids))
        assert torch.equal(clip.video, expected)
        assert clip.content_id == content_id(source)
        assert clip.num_windows == (4 if clip.source == "a" else 2)


@pytest.mark.slow
def test_a_plan_tells_windows_before_anything_is_decoded(sources: list[VideoSource], worker: DecodeWorker) -> None:
    with ClipStream(sources, PROTOCOL, causal=False, workers=[worker]) as stream:
        plans = stream.plan()
    assert [len(plan.windows) for plan in plans if isinstance(plan, SourcePlan)] == [4, 2]
    assert [plan.num_frames for plan in plans if isinstance(plan, SourcePlan)] == [60, 20]
    assert [plan.fps for plan in plans if isinstance(plan, SourcePlan)] == [30, 30]


@pytest.mark.slow
def test_long_windows_come_in_pieces_that_make_up_the_whole(
    sources: list[VideoSource], tmp_path: Path, worker: DecodeWorker
) -> None:
    protocol = load_protocol("vidtok-long").derive(height=64, width=128)
    with ClipStream(sources, protocol, causal=True, workers=[worker]) as stream:
        wholes = [clip for clip in stream if isinstance(clip, Clip)]
    cache = ClipCache(tmp_path, 1 << 30)
    for prefetch in (1, 3):
        with ClipStream(
            sources, protocol, causal=True, workers=[worker], prefetch=prefetch, piece_frames=20, cache=cache
        ) as stream:
            pieces = [clip for clip in stream if isinstance(clip, Clip)]
        assert [(clip.source, clip.start, clip.is_whole) for clip in pieces] == [
            ("a", 0, False),
            ("a", 20, False),
            ("a", 40, False),
            ("b", 0, True),
        ]
        assert [clip.ends_window for clip in pieces] == [False, False, True, True]
        assert all(clip.window == wholes[0].window for clip in pieces[:3])
        assert torch.equal(torch.cat([clip.video for clip in pieces[:3]], 1), wholes[0].video)
        assert torch.equal(pieces[3].video, wholes[1].video)


@pytest.mark.slow
def test_skipped_windows_count_for_the_limit(sources: list[VideoSource], worker: DecodeWorker) -> None:
    def skip(source: str, content: str, window: object) -> bool:
        return source == "a" and len(content) == 64 and getattr(window, "index", None) in (0, 2)

    with ClipStream(sources, PROTOCOL, causal=True, workers=[worker], skip=skip, max_clips=5) as stream:
        for _ in range(2):
            assert [(clip.source, clip.window.index) for clip in stream] == [("a", 1), ("a", 3), ("b", 0)]
    with ClipStream(sources, PROTOCOL, causal=True, workers=[worker], max_clips=3) as stream:
        assert len(stream.plan()) == 1
        assert [(clip.source, clip.window.index) for clip in stream] == [("a", 0), ("a", 1), ("a", 2)]


@pytest.mark.slow
def test_what_cannot_be_read_is_a_failure_with_its_reason(tmp_path: Path, worker: DecodeWorker) -> None:
    whole = write_numbered(tmp_path / "whole.mp4", 30)
    write_numbered(tmp_path / "one-frame.mp4", 1)
    write_numbered(tmp_path / "slow.mp4", 10, fps=5)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:1000])
    front = write_numbered(tmp_path / "front.mp4", 68, "-c:v", "libx264", "-movflags", "+faststart")
    (tmp_path / "cut-late.mp4").write_bytes(front.read_bytes()[: front.stat().st_size * 7 // 10])
    names = ["absent.mp4", *sorted(path.name for path in tmp_path.iterdir())]
    with ClipStream(
        [VideoSource(name, tmp_path / name) for name in names], PROTOCOL, causal=True, workers=[worker]
    ) as stream:
        given = list(stream)
    assert [clip.source for clip in given if isinstance(clip, Clip) and clip.source != "cut-late.mp4"] == [
        *["front.mp4"] * 4,
        "one-frame.mp4",
        *["whole.mp4"] * 2,
    ]
    failures = [clip for clip in given if isinstance(clip, FailedClip)]
    reasons = {clip.source: clip.reason for clip in failures if clip.window.index == WHOLE_SOURCE}
    expected = {"absent": "no such", "cut": "cut off", "empty": "empty", "folder": "regular", "slow": "5 frames/s"}
    assert list(reasons) == [f"{name}.mp4" for name in expected]
    for name, reason in expected.items():
        assert reason in reasons[f"{name}.mp4"]
    late = [clip for clip in given if clip.source == "cut-late.mp4"]
    assert [clip.window.index for clip in late] == [0, 1, 2, 3]
    assert isinstance(late[0], Clip)
    assert isinstance(late[3], FailedClip)
    assert "of 68" in late[3].reason


@pytest.mark.slow
def test_a_frame_that_decord_breaks_off_at_is_left_to_pyav(tmp_path: Path, worker: DecodeWorker) -> None:
    path = write_numbered(tmp_path / "damaged.mp4", 102, "-c:v", "libx264", "-g", "30", "-movflags", "+faststart")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    ends = []
    for reader in ("auto", "pyav"):
        sources = [VideoSource("d", path)]
        with ClipStream(sources, PROTOCOL, causal=True, workers=[worker], reader=reader, on_corrupt="note") as stream:
            ends.append([(type(clip), clip.video.sum() if isinstance(clip, Clip) else clip.reason) for clip in stream])
    assert ends[0] == ends[1]
    assert {kind for kind, _ in ends[0]} == {Clip, FailedClip}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"), [("hang", "timed out after 10 s"), ("crash", "SIGSEGV"), ("raise", "faulty")]
)
def test_a_fault_in_the_decoding_process_fails_its_window_only(
    sources: list[VideoSource], fault: str, reason: str
) -> None:
    protocol = faulty_protocol(fault, 17, 17)  # pyright: ignore[reportArgumentType]
    with ClipStream(sources, protocol, causal=True, timeout_s=10, num_workers=2) as stream:
        given = list(stream)
    failed = [(clip.source, clip.window.index) for clip in given if isinstance(clip, FailedClip)]
    assert failed == [("a", 1), ("b", 1)]
    assert len(given) == 6
    assert all(reason in clip.reason for clip in given if isinstance(clip, FailedClip))


@pytest.mark.slow
def test_while_one_video_waits_another_worker_decodes_the_next_one_and_the_order_stays(
    sources: list[VideoSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited = tmp_path / "b was decoded"
    decoded: list[str] = []
    original = DecodeWorker.decode

    def watched(self: DecodeWorker, source: VideoSource, *arguments: object) -> object:
        clip = original(self, source, *arguments)  # pyright: ignore[reportArgumentType]
        decoded.append(source.key)
        if decoded.count("b") == 2:
            awaited.touch()
        return clip

    monkeypatch.setattr(DecodeWorker, "decode", watched)
    # Only video a is long enough for a window that begins with frame 34.
    with ClipStream(sources, faulty_protocol("wait", 34, 34, awaited), causal=True, num_workers=2) as stream:
        plans = list(stream.plans())
        clips = [clip for clip in stream if isinstance(clip, Clip)]
    assert [plan.source.key for plan in plans if isinstance(plan, SourcePlan)] == ["a", "b"]
    assert decoded[-2:] == ["a", "a"]
    assert [(clip.source, clip.window.index) for clip in clips] == [("a", i) for i in range(4)] + [("b", 0), ("b", 1)]
    by_key = {source.key: source for source in sources}
    for clip in clips:
        frames = open_reader(by_key[clip.source]).frames(clip.window.frame_ids)
        assert torch.equal(clip.video, PROTOCOL.transform(frames))


@pytest.mark.slow
def test_a_source_that_keeps_crashing_is_given_up(sources: list[VideoSource]) -> None:
    with ClipStream(sources, faulty_protocol("crash", 0, 59), causal=True) as stream:
        reasons = [clip.reason for clip in stream if isinstance(clip, FailedClip) and clip.source == "a"]
    assert ["SIGSEGV" in reason for reason in reasons] == [True, True, False, False]
    assert "not tried" in reasons[2]


@pytest.mark.slow
def test_leaving_early_stops_thread_and_process(sources: list[VideoSource]) -> None:
    stream = ClipStream(sources, PROTOCOL, causal=True, prefetch=1)
    process = _process_of(stream, next(iter(stream)))
    stream.close()
    assert _has_ended(process)
    assert not [thread for thread in threading.enumerate() if thread.name == "toklab-clips"]
    assert len(list(stream)) == 6
    stream.close()


def _process_of(stream: ClipStream, _clip: object) -> int:
    process = stream._workers[0]._process
    assert process is not None
    return process.pid


@pytest.mark.slow
def test_closing_ends_a_hang_and_leaves_no_false_failure(sources: list[VideoSource]) -> None:
    stream = ClipStream(sources, faulty_protocol("hang", 17, 17), causal=True, timeout_s=HANG_S)
    first = next(iter(stream))
    time.sleep(0.5)
    process = _process_of(stream, first)
    stream.close()
    assert _has_ended(process)
    assert all(isinstance(plan, SourcePlan) for plan in stream.plan())
    stream.close()


@pytest.mark.slow
def test_no_more_clips_than_prefetch_wait(
    sources: list[VideoSource], worker: DecodeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    original = DecodeWorker.decode

    def counting(self: DecodeWorker, *arguments: object) -> object:
        started.append(1)
        return original(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(DecodeWorker, "decode", counting)
    with ClipStream(sources, PROTOCOL, causal=True, workers=[worker], prefetch=2) as stream:
        iteration = iter(stream)
        for ahead in (3, 4):
            next(iteration)
            while len(started) < ahead:
                time.sleep(0.05)
            time.sleep(0.5)
            assert len(started) == ahead


@pytest.mark.slow
def test_cached_windows_are_not_decoded_again(
    sources: list[VideoSource], tmp_path: Path, worker: DecodeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ClipCache(tmp_path / "cache", 10**9)
    facts: dict[tuple[str, VideoSource, str], VideoFacts] = {}
    with ClipStream(sources, PROTOCOL, causal=True, workers=[worker], cache=cache, known_facts=facts) as stream:
        first = [clip for clip in stream if isinstance(clip, Clip)]
    monkeypatch.setattr(DecodeWorker, "_start", lambda self: pytest.fail("a process was started"))
    with ClipStream(sources, PROTOCOL, causal=True, cache=cache, known_facts=facts) as stream:
        second = [clip for clip in stream if isinstance(clip, Clip)]
    assert len(second) == 6
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.video, other.video)
        assert (one.window, one.reader, one.content_id) == (other.window, other.reader, other.content_id)


def test_two_sources_of_one_key_are_refused(sources: list[VideoSource]) -> None:
    with pytest.raises(ValueError, match="key 'a'"):
        ClipStream([sources[1], sources[1]], PROTOCOL, causal=True)


ORPHAN = """
import os, sys
from pathlib import Path
from toklab.datasets.interface import VideoSource
from toklab.datasets.protocol import load_protocol
from toklab.datasets.stream import ClipStream
videos = [VideoSource(name, Path(sys.argv[1])) for name in "vw"]
stream = ClipStream(videos, load_protocol("vidtok"), causal=True, num_workers=2)
clips = [clip for _, clip in zip(range(5), stream)]
for worker in stream._workers:
    print(worker._process.pid)
print(Path("/proc/self/maps").read_text().count("toklab-clip"), flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_all_is_gone_with_a_killed_parent_whose_main_module_is_not_guarded(
    sources: list[VideoSource], tmp_path: Path
) -> None:
    command = [sys.executable, "-", str(sources[1].path)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.run(command, input=ORPHAN, text=True, capture_output=True, env=environment)
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    first, second, num_mapped = map(int, parent.stdout.split())
    assert _has_ended(first)
    assert _has_ended(second)
    # These clips, and those that waited, were in memory that the processes shared, and which no folder lists.
    assert num_mapped >= 5
    assert not list(tmp_path.iterdir())
    assert not list(Path("/dev/shm").glob("*toklab*"))


@pytest.mark.slow
def test_a_worker_starts_again_after_its_end(sources: list[VideoSource]) -> None:
    worker = DecodeWorker(timeout_s=600)
    facts = worker.probe(sources[0])
    worker.kill()
    with pytest.raises(WorkerLost, match="SIGKILL"):
        worker.probe(sources[0])
    assert worker.probe(sources[0]) == facts
    clip = worker.decode(sources[0], [3, 3], PROTOCOL)
    assert clip.video.shape == (3, 2, 64, 128)
    assert clip.video.dtype == np.float32
    worker.close()


def test_the_content_of_a_sequence_has_an_identity(tmp_path: Path) -> None:
    source = VideoSource("s", tmp_path, "images")
    identities = set()
    for name, content in (("1.png", b"a"), ("2.png", b"b"), ("2.png", b"c")):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, ns=(len(identities), len(identities)))
        identities.add(content_id(source))
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    identities.add(content_id(source))
    assert len(identities) == 4
