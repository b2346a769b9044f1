"""The window rules against the official script's frame ids, and as properties."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.datasets.interface import Window
from toklab.datasets.protocol import Protocol, load_protocol
from toklab.datasets.windows import FrameRateError, TooFewFramesError, sampling_interval

VIDTOK = load_protocol("vidtok")
VIDTOK_LONG = load_protocol("vidtok-long")

chunk_sizes = st.integers(1, 40)
frame_counts = st.integers(1, 400)
frame_rates = st.floats(15.5, 240, allow_nan=False)


@pytest.mark.goldens
def test_every_case_of_the_official_script(shared: Path) -> None:
    cases = json.loads((shared / "goldens/protocol/vidtok_clip_indices.json").read_text())["cases"]
    assert len(cases) == 220
    for case in cases:
        named = VIDTOK_LONG if case["read_long_video"] else VIDTOK
        protocol = named.derive(sample_fps=case["sample_fps"], chunk_size=case["chunk_size"])
        arguments = {"num_frames": case["total_frames"], "fps": case["fps"], "causal": case["is_causal"]}
        if "error" in case:
            with pytest.raises(FrameRateError, match="rounds to 0"):
                protocol.windows(**arguments)
        elif not case["clips"]:
            with pytest.raises(TooFewFramesError):
                protocol.windows(**arguments)
        else:
            windows = protocol.windows(**arguments)
            assert [list(window.frame_ids) for window in windows] == case["clips"], case
            assert [window.index for window in windows] == list(range(len(windows)))


@given(frame_counts, frame_rates, chunk_sizes, st.booleans())
def test_repeated_tail_covers_every_sampled_frame_once(
    num_frames: int, fps: float, chunk_size: int, causal: bool
) -> None:
    protocol = VIDTOK.derive(chunk_size=chunk_size)
    windows = protocol.windows(num_frames, fps, causal=causal)
    assert {len(window.frame_ids) for window in windows} == {protocol.window_length(causal=causal)}
    flat = [frame for window in windows for frame in window.frame_ids]
    sampled = list(range(0, num_frames, sampling_interval(fps, 30)))
    assert flat[: len(sampled)] == sampled
    assert set(flat[len(sampled) :]) <= {sampled[-1]}
    assert len(flat) - len(sampled) < protocol.window_length(causal=causal)


def test_overlapping_windows_end_with_the_first_one_that_reaches_the_end() -> None:
    protocol = VIDTOK.derive(chunk_size=4, stride=2)
    windows = protocol.windows(9, 30.0, causal=False)
    assert [window.frame_ids for window in windows] == [(0, 1, 2, 3), (2, 3, 4, 5), (4, 5, 6, 7), (6, 7, 8, 8)]


@given(frame_counts, chunk_sizes, st.booleans())
def test_dropped_tail_keeps_the_full_windows(num_frames: int, chunk_size: int, causal: bool) -> None:
    repeated = VIDTOK.derive(chunk_size=chunk_size)
    full = [
        window
        for window in repeated.windows(num_frames, 30, causal=causal)
        if len(set(window.frame_ids)) == len(window.frame_ids)
    ]
    dropped = repeated.derive(tail="drop")
    if full:
        assert dropped.windows(num_frames, 30, causal=causal) == full
    else:
        with pytest.raises(TooFewFramesError):
            dropped.windows(num_frames, 30, causal=causal)


@given(frame_counts, frame_rates, chunk_sizes, st.booleans())
def test_long_video_is_one_window_without_repeats(num_frames: int, fps: float, chunk_size: int, causal: bool) -> None:
    protocol = VIDTOK_LONG.derive(chunk_size=chunk_size)
    sampled = list(range(0, num_frames, sampling_interval(fps, 30)))
    if len(sampled) < protocol.window_length(causal=causal):
        with pytest.raises(TooFewFramesError, match="at least"):
            protocol.windows(num_frames, fps, causal=causal)
        return
    (window,) = protocol.windows(num_frames, fps, causal=causal)
    length = len(window.frame_ids)
    assert list(window.frame_ids) == sampled[:length]
    assert length % chunk_size == (1 % chunk_size if causal else 0)
    assert len(sampled) - length < chunk_size


@given(frame_counts, chunk_sizes, st.integers(1, 60), st.booleans())
def test_stride_places_the_starts(num_frames: int, chunk_size: int, stride: int, causal: bool) -> None:
    protocol = VIDTOK.derive(chunk_size=chunk_size, stride=stride)
    windows = protocol.windows(num_frames, 30, causal=causal)
    assert [window.frame_ids[0] for window in windows] == [index * stride for index in range(len(windows))]
    # The first window that reaches the last frame is the last one; with gaps, none may reach it.
    length = protocol.window_length(causal=causal)
    reaching = max(0, math.ceil((num_frames - length) / stride)) + 1
    assert len(windows) == min(reaching, math.ceil(num_frames / stride))
    if stride <= protocol.window_length(causal=causal):
        assert {frame for window in windows for frame in window.frame_ids} == set(range(num_frames))


@given(frame_counts, st.integers(1, 100))
def test_max_frames_equals_a_shorter_video(num_frames: int, max_frames: int) -> None:
    limited = VIDTOK.derive(max_frames=max_frames)
    expected = VIDTOK.windows(min(num_frames, max_frames), 30, causal=True)
    assert limited.windows(num_frames, 30, causal=True) == expected


@given(frame_counts, st.floats(0.5, 240))
def test_cdt_takes_the_first_17_frames_at_any_frame_rate(num_frames: int, fps: float) -> None:
    protocol = load_protocol("cdt")
    if num_frames < 17:
        with pytest.raises(TooFewFramesError, match=f"{num_frames} sampled frames give no window of 17 frames"):
            protocol.windows(num_frames, fps, causal=True)
        return
    (window,) = protocol.windows(num_frames, fps, causal=True)
    assert window.frame_ids == tuple(range(17))
    (shorter,) = protocol.windows(num_frames, fps, causal=False)
    assert shorter.frame_ids == tuple(range(16))


@pytest.mark.parametrize("causal", [True, False])
def test_every_picture_is_a_window_of_one_frame(causal: bool) -> None:
    windows = load_protocol("cdt-image").windows(3, 24.0, causal=causal)
    assert [window.frame_ids for window in windows] == [(0,), (1,), (2,)]


def test_halves_round_to_the_even_interval() -> None:
    assert [sampling_interval(fps, 30) for fps in (24, 25, 29.97, 45, 75, 105)] == [1, 1, 1, 2, 2, 4]


@pytest.mark.parametrize("fps", [0.0, -30.0, float("nan"), float("inf")])
def test_a_frame_rate_that_is_no_positive_number_is_named(fps: float) -> None:
    with pytest.raises(FrameRateError, match=f"frame rate is {fps}, which is not a positive number"):
        VIDTOK.windows(100, fps, causal=True)


def test_a_frame_rate_that_is_too_low_is_named() -> None:
    with pytest.raises(FrameRateError, match=r"15 frames/s are at most half of the protocol's sample_fps = 30"):
        VIDTOK.windows(100, 15.0, causal=True)
    assert sampling_interval(15.001, 30) == 1
    assert sampling_interval(1e-9, 1e-9) == 1


@pytest.mark.parametrize(("causal", "shortest"), [(True, 17), (False, 16)])
def test_the_shortest_video_of_a_long_window(causal: bool, shortest: int) -> None:
    (window,) = VIDTOK_LONG.windows(shortest, 30, causal=causal)
    assert window == Window(0, tuple(range(shortest)))
    message = f"{shortest - 1} sampled frames give no whole-video window, which takes at least {shortest}"
    with pytest.raises(TooFewFramesError, match=message):
        VIDTOK_LONG.windows(shortest - 1, 30, causal=causal)


@pytest.mark.parametrize("protocol", [VIDTOK, VIDTOK_LONG])
def test_a_video_without_frames_gives_a_reason(protocol: Protocol) -> None:
    with pytest.raises(TooFewFramesError, match="0 sampled frames give no"):
        protocol.windows(0, 30, causal=False)
