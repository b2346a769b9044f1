"""Which frames of a video form its windows: the frame-rate rule and the window rule of a protocol, on integers."""

from __future__ import annotations

import functools
import math
from typing import Literal

from .interface import Window

Tail = Literal["repeat", "drop"]


class FrameRateError(ValueError):
    """A frame rate from which the protocol can't sample."""


class TooFewFramesError(ValueError):
    """A video that is too short to give a single window."""


def sampling_interval(fps: float, sample_fps: float) -> int:
    """Frames from one sampled frame to the next: ``round(fps / sample_fps)``, halves rounded to the even neighbour.

    Nothing is resampled: a video of 25 frames/s sampled at 30 keeps its own rate (interval 1).

    Raises:
        FrameRateError: if ``fps`` is no positive number, or so low that the interval rounds to 0.
    """
    if not math.isfinite(fps) or fps <= 0:
        raise FrameRateError(f"the video's frame rate is {fps}, which is not a positive number")
    interval = round(fps / sample_fps)
    if interval == 0:
        raise FrameRateError(
            f"the video's {fps:g} frames/s are at most half of the protocol's sample_fps = {sample_fps:g}, so the "
            "sampling interval rounds to 0; use a protocol with a lower sample_fps"
        )
    return interval


def consecutive_windows(frame_ids: range, length: int, *, stride: int, tail: Tail) -> list[Window]:
    """Windows of ``length`` frames that start every ``stride`` sampled frames, until one reaches the last frame.

    A last window that is too short repeats its last frame (``tail="repeat"``) or is left out (``tail="drop"``). Videos
    of one length share their windows, so that a long dataset's take little memory.

    Raises:
        TooFewFramesError: if no window is left.
    """
    return list(_consecutive_windows(frame_ids, length, stride, tail))


@functools.lru_cache(maxsize=4096)
def _consecutive_windows(frame_ids: range, length: int, stride: int, tail: Tail) -> tuple[Window, ...]:
    windows: list[Window] = []
    for start in range(0, len(frame_ids), stride):
        ids = tuple(frame_ids[start : start + length])
        missing = length - len(ids)
        if missing and tail == "drop":
            break
        windows.append(Window(index=len(windows), frame_ids=ids + ids[-1:] * missing))
        if start + length >= len(frame_ids):
            break
    if not windows:
        raise TooFewFramesError(f"{len(frame_ids)} sampled frames give no window of {length} frames")
    return tuple(windows)


def whole_video_window(frame_ids: range, chunk_size: int, *, causal: bool) -> Window:
    """One window over the whole video, cut to k·chunk + 1 frames (causal) or k·chunk frames (non-causal), k ≥ 1.

    Raises:
        TooFewFramesError: if the video doesn't hold one chunk.
    """
    first = 1 if causal else 0
    num_chunks = (len(frame_ids) - first) // chunk_size
    if num_chunks < 1:
        raise TooFewFramesError(
            f"{len(frame_ids)} sampled frames give no whole-video window, which takes at least {chunk_size + first}"
        )
    return Window(index=0, frame_ids=tuple(frame_ids[: num_chunks * chunk_size + first]))
