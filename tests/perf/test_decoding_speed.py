"""What decoding and the harness cost a run: several decoding processes, and the time between the models' passes."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import pytest
import torch
from numbered_video import run_ffmpeg
from toklab.bench.execution.long_windows import PieceMeasurement
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.progress import SilentProgress
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import Suite
from toklab.datasets.interface import VideoSource
from toklab.datasets.protocol import load_protocol
from toklab.datasets.readers.worker import DecodeWorker
from toklab.datasets.stream import ClipStream

MODEL_S = 0.05
"""Seconds a window that the stand-in for a model sleeps."""
ROUNDS = 3
NUM_VIDEOS = 4


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[VideoSource]:
    """Videos of 1080p, three windows each."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(NUM_VIDEOS):
        picture = f"testsrc2=size=1920x1080:rate=30,hue=h={40 * number},noise=alls=12:allf=t:all_seed={number}"
        coding = ("-frames:v", "51", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
        run_ffmpeg("-f", "lavfi", "-i", picture, *coding, folder / f"{number}.mp4")
    return [VideoSource(path.name, path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("reader", ["pyav", "decord"])
def test_two_decode_workers_on_1080p(benchmark, say, videos, reader):
    """The windows that a fast model gets from two workers, over those that it gets from one.

    decord decodes ahead on a thread of its own, so that one worker takes more than one core.
    """
    workers = [DecodeWorker(600.0) for _ in range(2)]
    protocol = load_protocol("vidtok")
    for worker in workers:
        worker.probe(videos[0], reader)

    def windows_a_second(num_workers: int) -> float:
        began, count = time.perf_counter(), 0
        with ClipStream(videos, protocol, causal=True, reader=reader, workers=workers[:num_workers]) as stream:
            for _ in stream:
                time.sleep(MODEL_S)
                count += 1
        return count / (time.perf_counter() - began)

    found = benchmark.pedantic(
        lambda: [[windows_a_second(number) for number in (1, 2)] for _ in range(ROUNDS)], rounds=1
    )
    for worker in workers:
        worker.close()
    one, two = (statistics.median(each) for each in zip(*found, strict=True))
    benchmark.extra_info.update(one=one, two=two)
    say(
        f"1080p by {reader}, a model of {MODEL_S * 1000:g} ms: {one:.2f} and {two:.2f} windows/s with 1 and 2 workers, "
        f"{two / one:.2f} times as many"
    )


class _Clock(SilentProgress):
    """When each window was done, and what its metrics had taken until then."""

    def __init__(self) -> None:
        self.done: list[tuple[float, float]] = []
        self.metrics_s = 0.0

    def advance(self, windows: int, failed: int) -> None:
        self.done.append((time.perf_counter(), self.metrics_s))


def _run(out: Path, clips: Path, tokenizer: str, metrics: tuple[str, ...], patch, limit: int | None, workers: int):
    """Windows/s, and wall time over the seconds of encode, decode and metrics; without the first window."""
    clock = _Clock()
    with patch.context() as patched:
        for name in ("add", "record"):
            patched.setattr(PieceMeasurement, name, _timed(getattr(PieceMeasurement, name), clock))
        suite = Suite.model_validate(
            {
                "name": "speed",
                "datasets": (f"clips=folder:{clips}",),
                "protocol": "vidtok",
                "tokenizers": (tokenizer,),
                "metrics": metrics,
            }
        )
        with Ledger(out, write=True) as ledger:
            options = RunOptions(limit=limit, decode_workers=workers)
            Runner(ledger, options, clock).run(plan_cells(suite))
            (cell,) = ledger.cells()
            rows = ledger.rows(cell.cell_id)
    (start, metrics_before), (end, metrics_after) = clock.done[0], clock.done[-1]
    passes = sum(row.timing["encode_s"] + row.timing["decode_s"] for row in rows[1:])
    return (len(rows) - 1) / (end - start), (end - start) / (passes + metrics_after - metrics_before)


def _timed(method, clock: _Clock):
    def timed(*arguments):
        began = time.perf_counter()
        try:
            return method(*arguments)
        finally:
            clock.metrics_s += time.perf_counter() - began

    return timed


@pytest.fixture
def sample() -> Path:
    """Real clips."""
    folder = Path(os.environ.get("TOKLAB_SHARED", "none")) / "clips" / "sample"
    if not folder.is_dir():
        pytest.skip("TOKLAB_SHARED doesn't name a folder with clips")
    return folder


@pytest.mark.parametrize("metrics", [("bpp",), ("psnr", "ssim", "bpp")], ids=["bpp", "psnr-ssim"])
def test_a_run_without_a_model(benchmark, say, sample, tmp_path, monkeypatch, metrics):
    """Windows/s of resizing alone, over all windows of the clips: what the harness can feed a model."""

    def measure():
        return {
            workers: _run(tmp_path / f"{workers}", sample, "bicubic-4chn", metrics, monkeypatch, None, workers)[0]
            for workers in (1, 2)
        }

    found = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info.update({f"workers_{workers}": speed for workers, speed in found.items()})
    say(f"bicubic-4chn with {', '.join(metrics)}: {found[1]:.2f} and {found[2]:.2f} windows/s with 1 and 2 workers")


def test_harness_tax(benchmark, say, sample, tmp_path, monkeypatch):
    """Wall time over encode, decode and metrics, with one core left for decoding."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    try:
        _, tax = benchmark.pedantic(
            lambda: _run(tmp_path / "run", sample, "vidtok-small-kl-4chn", ("psnr", "ssim", "bpp"), monkeypatch, 24, 1),
            rounds=1,
        )
    finally:
        torch.set_num_threads(threads)
    benchmark.extra_info["tax"] = tax
    say(f"vidtok-small-kl-4chn: wall time is {tax:.3f} × encode + decode + metrics")
