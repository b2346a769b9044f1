"""Features of clips of long windows: an explicit loop's, in memory that doesn't grow, whatever the pieces are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live_tensors import live_tensor_bytes
from metric_windows import make_batch, make_metric, random_video
from toklab.bench.analysis.results import read_results
from toklab.bench.execution import long_windows
from toklab.bench.execution.clip_cutting import ClipCutter, clip_length
from toklab.bench.execution.evaluation import Evaluation
from toklab.bench.execution.long_windows import PieceMeasurement
from toklab.bench.ledger.ledger import Ledger, unpack_arrays
from toklab.bench.ledger.records import Measurement, ReferenceMeasurement
from toklab.bench.metrics import weights
from toklab.bench.metrics.interface import Arrays, Estimate, WindowBatch
from toklab.bench.metrics.set_distance import FrechetDistance
from toklab.bench.metrics.set_metric import SetMetric
from toklab.datasets.interface import Clip, Window
from toklab.datasets.protocol import load_protocol
from torch import Tensor, nn


class FrameMeans(SetMetric):
    """Its features are the brightness of each frame and the number of frames."""

    name = title = measurement = "frame-means"
    range = display_range = (0.0, 1.0)
    convention = "for tests"
    distance = FrechetDistance(0)
    feature_size = 3

    def measure_video(self, video: Tensor) -> list[Arrays]:
        return [{"features": features.numpy()} for features in video.mean(dim=(1, 3, 4))]


def pieces_of(batch: WindowBatch, lengths: Sequence[int]) -> list[WindowBatch]:
    ends = np.cumsum(lengths)
    parts = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    return [make_batch(batch.reference[:, :, part], batch.reconstruction[:, :, part]) for part in parts]


def clip_of(num_frames: int) -> Clip:
    return Clip("a", "0" * 64, Window(0, tuple(range(num_frames))), 1, 30.0, "pyav", torch.zeros(3, 1, 1, 1))


@pytest.mark.slow
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 7))
@settings(max_examples=40)
def test_however_the_pieces_are_cut_the_clips_are_those_of_the_whole(lengths: list[int], num_frames: int) -> None:
    total = sum(lengths)
    whole = make_batch(random_video(0, (1, 3, total, 2, 2)), random_video(1, (1, 3, total, 2, 2)))
    cutter = ClipCutter(num_frames)
    clips = [clip for piece in pieces_of(whole, lengths) for clip in cutter.add(piece)]
    assert len(clips) == total // num_frames
    for number, clip in enumerate(clips):
        part = slice(number * num_frames, (number + 1) * num_frames)
        assert torch.equal(clip.reference, whole.reference[:, :, part])
        assert torch.equal(clip.reconstruction, whole.reconstruction[:, :, part])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
@settings(max_examples=20)
def test_measurements_equal_an_explicit_loop(lengths: list[int]) -> None:
    total = sum(lengths)
    whole = make_batch(random_video(0, (1, 3, total, 2, 2)), random_video(1, (1, 3, total, 2, 2)))
    measurement = PieceMeasurement(FrameMeans(), 16, with_reference=True)
    for piece in pieces_of(whole, lengths):
        measurement.add(piece)
    records = measurement.record("cell", clip_of(total), "reference")
    if total < 16:
        (failed,) = records
        assert isinstance(failed, Measurement)
        assert failed.reason == f"MetricError: a window of {total} frames holds no clip of 16"
        return
    made, reference = records
    assert isinstance(made, Measurement)
    assert isinstance(reference, ReferenceMeasurement)
    for record, video in ((made, whole.reconstruction), (reference, whole.reference)):
        expected = [video[0, :, start : start + 16].mean(dim=(0, 2, 3)).numpy() for start in range(0, total - 15, 16)]
        np.testing.assert_allclose(unpack_arrays(record.arrays)["features"], np.stack(expected), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("leaks", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_memory_does_not_grow_with_the_window(leaks: bool) -> None:
    num_frames, side = 10, 32
    piece_bytes = 2 * 4 * 3 * num_frames * side**2
    measurement = PieceMeasurement(FrameMeans(), 16, with_reference=True)
    kept, held = [], []
    before = live_tensor_bytes()
    for number in range(30):
        shape = (1, 3, num_frames, side, side)
        batch = make_batch(random_video(number, shape), random_video(number, shape))
        measurement.add(batch)
        if leaks:
            kept.append(batch)
        del batch
        if number in (2, 10, 29):
            held.append(live_tensor_bytes() - before)
    # Less than a clip waits for the rest of it; a leak is seen.
    assert (held[-1] > 25 * piece_bytes) if leaks else (max(held) <= 1.6 * piece_bytes)


def test_which_metrics_take_clips() -> None:
    whole, clips = load_protocol("vidtok-long"), load_protocol("vidtok-long-clips")
    for name, expected in (("fvd-i3d", None), ("fvd-i3d-crop", None), ("jedi", 16), ("psnr", None)):
        assert clip_length(make_metric(name), whole) == expected
    for name, expected in (("fvd-i3d", 16), ("jedi", 16), ("psnr", None), ("flicker", None)):
        assert clip_length(make_metric(name), clips) == expected
    # The metric's own convention comes first.
    assert clip_length(make_metric("jedi"), clips.derive(feature_frames=24)) == 16
    assert clip_length(make_metric("fvd-i3d"), load_protocol("tokenbench")) is None


class StandIn(nn.Module):
    """Takes I3D's arguments; its features are the brightness of the first 16 frames and their number."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        means = x.mean(dim=[1, 3, 4])
        return torch.cat([means[:, :16], torch.full([x.size(0), 1], float(x.size(2)))], dim=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_fvd_of_long_windows_in_pieces_and_whole(
    tmp_path: Path, make_video: Callable, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stand_in.pt"
    torch.jit.script(StandIn()).save(str(path))
    monkeypatch.setattr(weights, "unavailable", lambda weight: None)
    monkeypatch.setattr(weights, "verified", lambda weight: path)
    for name, num_frames in (("long", 70), ("short", 40)):
        make_video(tmp_path / "whole-videos" / f"{name}.mp4", num_frames)
    streamed: list[str] = []
    evaluate_long = Evaluation._evaluate_long

    def noted(self: Evaluation, tokenizer: object, clip: object) -> Iterator[None]:
        streamed.append(clip.first.source)  # type: ignore[attr-defined]
        return evaluate_long(self, tokenizer, clip)  # type: ignore[arg-type]

    monkeypatch.setattr(Evaluation, "_evaluate_long", noted)
    features: dict[tuple[str, int], list[np.ndarray]] = {}
    for protocol, piece_frames in (("vidtok-long-clips", 10), ("vidtok-long-clips", 1000), ("vidtok-long", 10)):
        streamed.clear()
        monkeypatch.setattr(long_windows, "PIECE_FRAMES", piece_frames)
        out = tmp_path / f"{protocol}-{piece_frames}"
        summary, _ = run_suite(
            out,
            ("vidtok-tiny-fsq-32768",),
            ("psnr", "fvd-i3d"),
            {"chunk_frames": 8},
            tmp_path / "whole-videos",
            protocol=protocol,
        )
        assert summary.exit_code == 0
        with Ledger(out) as ledger:
            (result,) = read_results(ledger)
        windows = result.windows(make_metric("fvd-i3d"))
        found = [array for w in windows for array in (w.arrays["features"], w.reference_arrays["features"])]
        features[protocol, piece_frames] = found
        figure = result.evaluate(make_metric("fvd-i3d"))
        assert isinstance(figure, Estimate)
        if protocol == "vidtok-long":
            # One I3D call sees the whole video, as before.
            assert (streamed, figure.counted, figure.count) == ([], "windows", 2)
            assert [int(row[-1]) for row in found[::2]] == [65, 33]
        else:
            assert streamed == (["long.mp4", "short.mp4"] if piece_frames == 10 else [])
            assert (figure.counted, figure.count) == ("clips", 4 + 2)
            assert [rows.shape for rows in found[::2]] == [(4, 17), (2, 17)]
            assert {float(number) for rows in found for number in rows[:, -1]} == {16.0}
            # Clips of a moving picture differ.
            assert len(np.unique(found[1], axis=0)) == 4
    for pieced, whole in zip(features["vidtok-long-clips", 10], features["vidtok-long-clips", 1000], strict=True):
        np.testing.assert_allclose(pieced, whole, rtol=1e-4, atol=1e-6)


def test_windows_of_17_frames_give_one_clip_under_a_metrics_own_length() -> None:
    metric = FrameMeans()
    batch = make_batch(random_video(0, (1, 3, 17, 2, 2)), random_video(1, (1, 3, 17, 2, 2)))
    measurement = PieceMeasurement(metric, 16)
    measurement.add(batch)
    (record,) = measurement.record("cell", clip_of(17), "")
    assert isinstance(record, Measurement)
    assert unpack_arrays(record.arrays)["features"].shape == (1, 16)
