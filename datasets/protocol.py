"""The protocol: what exactly is measured, as a frozen value with a hash that every figure carries."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError, model_validator
from torch import Tensor

from . import protocols
from .interface import ColourMatrix, Window
from .transforms import Crop, ResizeFilter, ResizeRule, transform_frames
from .windows import Tail, consecutive_windows, sampling_interval, whole_video_window


class ProtocolError(ValueError):
    """A protocol that doesn't exist, or whose fields are wrong."""


class Protocol(BaseModel):
    """Which frames of a video are measured, and at which size. Figures under two hashes are not comparable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    """What reports call it; not part of the hash."""
    sample_fps: PositiveFloat | Literal["native"]
    """Frame rate sampled towards: every ``round(fps / sample_fps)``-th frame is taken; ``native``: all are."""
    max_frames: PositiveInt | None = None
    """Sampled frames that are used of each video, from its start; ``None``: all."""
    chunk_size: NonNegativeInt
    """A window holds ``chunk_size`` + 1 frames for causal tokenizers and ``chunk_size`` for non-causal ones.

    0: every window is one frame, for both.
    """
    long_video: bool
    """One window over each whole video, cut to k·``chunk_size`` (+ 1 if causal) frames."""
    stride: PositiveInt | None = None
    """Sampled frames from one window's start to the next one's; ``None``: the window's length, so none overlap."""
    tail: Tail
    """A short last window repeats its last frame, and the repeated frames are scored, or it is dropped."""
    subsampling: PositiveInt = 1
    """Of each window only the frames 0, ``subsampling``, 2 · ``subsampling``, … are seen and scored."""
    height: PositiveInt | None = None
    """Height of the clips in pixels; ``None``, like the width, under ``size_multiple``."""
    width: PositiveInt | None = None
    """Width of the clips in pixels."""
    size_multiple: PositiveInt | None = None
    """In place of height and width: clips keep the size of their frames, cropped to the next lower multiple of this."""
    resize: ResizeRule
    """Which side is resized to what: see :func:`toklab.datasets.transforms.transform_frames`."""
    resize_filter: ResizeFilter
    """Interpolation of the resize."""
    antialias: bool
    """Whether the filter widens when it scales down."""
    crop: Crop
    """Where the clip is cut out of the resized frame; what lies outside it is black."""
    round_to_uint8: bool
    """Whether reference and reconstruction are rounded to 8 bits before they are scored."""
    colour_matrix: ColourMatrix | None = None
    """Matrix that turns YCbCr into RGB where a file names none, raw or not.

    ``None``: the dataset's, which a run fills in; without one, BT.709 for raw video and BT.601 for other files.
    """
    feature_frames: PositiveInt | None = None
    """Distances between sets of features, such as FVD, take one feature from each so many frames of a window.

    These clips follow each other without overlap, and what is left at a window's end belongs to none. ``None``: one
    feature from each whole window, except by metrics whose own convention names a length.
    """

    @model_validator(mode="after")
    def _check_long_video(self) -> Protocol:
        if self.long_video and (self.tail != "drop" or self.stride is not None):
            raise ValueError('long_video takes tail = "drop" and no stride: its one window leaves out what is over')
        if self.long_video and not self.chunk_size:
            raise ValueError("long_video takes a chunk_size of at least 1")
        return self

    @model_validator(mode="after")
    def _check_size(self) -> Protocol:
        if self.size_multiple is None and (self.height is None or self.width is None):
            raise ValueError("give height and width, or size_multiple for clips of their frames' own size")
        if self.size_multiple is not None and (self.height, self.width, self.resize) != (None, None, "none"):
            raise ValueError('size_multiple takes resize = "none" and neither height nor width')
        if self.resize_filter == "lanczos" and not self.antialias:
            raise ValueError("the resize filter lanczos is Pillow's, which takes antialias = true")
        return self

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 over every field but the name, as JSON with sorted keys.

        ``size_multiple``, ``subsampling``, ``colour_matrix`` and ``feature_frames`` count only where they are given:
        protocols from before there were any keep their hash.
        """
        later = ("size_multiple", "subsampling", "colour_matrix", "feature_frames")
        uncounted = {name for name in later if getattr(self, name) == type(self).model_fields[name].default}
        canonical = json.dumps(self.model_dump(exclude={"name", *uncounted}), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def on(self, dataset: Any) -> Protocol:
        """The protocol on a dataset, given as its class or an object: with its colour matrix, unless it has its own.

        The name stays: what changes is the hash.
        """
        matrix = getattr(dataset, "colour_matrix", None)
        return self if self.colour_matrix or not matrix else self.model_copy(update={"colour_matrix": matrix})

    def window_length(self, *, causal: bool) -> int:
        """Frames of a window; with ``long_video`` the least number of frames."""
        return math.ceil(self._window_span(causal=causal) / self.subsampling)

    def _window_span(self, *, causal: bool) -> int:
        """Sampled frames from a window's first to its last, subsampled or not."""
        return self.chunk_size + 1 if causal else max(1, self.chunk_size)

    def clip_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the clips of a video with frames of ``height`` × ``width`` pixels.

        Raises:
            ValueError: if the frames are smaller than ``size_multiple``.
        """
        multiple = self.size_multiple
        if multiple is None:
            assert self.height is not None
            assert self.width is not None
            return self.height, self.width
        if min(height, width) < multiple:
            raise ValueError(f"frames of {height}×{width} pixels are smaller than size_multiple = {multiple}")
        return height // multiple * multiple, width // multiple * multiple

    def sampled_fps(self, fps: float) -> float:
        """Frames/s of the clips of a video at ``fps`` frames/s.

        Raises:
            FrameRateError: if the frame rate is too low for ``sample_fps``.
        """
        return fps / (self._interval(fps) * self.subsampling)

    def _interval(self, fps: float) -> int:
        return 1 if self.sample_fps == "native" else sampling_interval(fps, self.sample_fps)

    def windows(self, num_frames: int, fps: float, *, causal: bool) -> list[Window]:
        """Cut a video of ``num_frames`` frames at ``fps`` frames/s; never an empty list.

        Raises:
            FrameRateError: if the frame rate is too low for ``sample_fps``.
            TooFewFramesError: if the video gives no window.
        """
        frame_ids = range(0, num_frames, self._interval(fps))[: self.max_frames]
        if self.long_video:
            windows = [whole_video_window(frame_ids, self.chunk_size, causal=causal)]
        else:
            span = self._window_span(causal=causal)
            windows = consecutive_windows(frame_ids, span, stride=self.stride or span, tail=self.tail)
        if self.subsampling == 1:
            return windows
        return [Window(window.index, window.frame_ids[:: self.subsampling]) for window in windows]

    def transform(self, frames: np.ndarray) -> Tensor:
        """Turn frames (T, H, W, 3) uint8 RGB into a clip (3, T, height, width) float32 in [-1, 1].

        Raises:
            ValueError: if ``frames`` has another shape or type, or is too small for ``size_multiple``.
        """
        height, width = self.clip_size(*frames.shape[1:3])
        return transform_frames(
            frames,
            height=height,
            width=width,
            resize=self.resize,
            resize_filter=self.resize_filter,
            antialias=self.antialias,
            crop=self.crop,
        )

    def derive(self, **changes: Any) -> Protocol:
        """A protocol with some fields changed, and a name that tells: ``vidtok[height=32,width=32]``.

        Values may be strings, as a command line gives them.

        Raises:
            ProtocolError: if a field doesn't exist or its value is wrong.
        """
        fields = [field for field in type(self).model_fields if field != "name"]
        for field in changes:
            if field not in fields:
                raise ProtocolError(f"a protocol has no field {field!r}{_near(field, fields)}")
        derived = _validate(self.model_dump() | changes, f"protocol {self.name} with changes")
        words = [f"{field}={_in_words(getattr(derived, field))}" for field in fields if _differ(self, derived, field)]
        return derived.model_copy(update={"name": f"{self.name}[{','.join(words)}]"}) if words else self


def protocol_names() -> list[str]:
    """Names of the protocols that toklab ships, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def load_protocol(name_or_path: str | Path) -> Protocol:
    """The shipped protocol of that name, or the one in a TOML file (a path that ends in ``.toml``).

    Raises:
        ProtocolError: if there is none, or its fields are wrong.
    """
    if str(name_or_path).endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise ProtocolError(f"there is no protocol file {path}")
        try:
            return _parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{path} can't be read as TOML ({error})") from error
    names = protocol_names()
    if name_or_path not in names:
        known = ", ".join(names)
        raise ProtocolError(
            f"there is no protocol {str(name_or_path)!r}{_near(str(name_or_path), names)}; toklab ships {known}, "
            "and takes the path of a .toml file"
        )
    file = _shipped() / f"{name_or_path}.toml"
    return _parse(file.read_text(encoding="utf-8"), f"protocol {name_or_path}")


def _shipped() -> Any:
    return resources.files(protocols)


def _parse(text: str, origin: str) -> Protocol:
    try:
        return _validate(tomllib.loads(text), origin)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"{origin} is not valid TOML: {error}") from error


def _validate(values: dict[str, Any], origin: str) -> Protocol:
    try:
        return Protocol.model_validate(values)
    except ValidationError as error:
        problems = dict.fromkeys(_problem(found["type"], found["loc"], found["msg"]) for found in error.errors())
        raise ProtocolError(f"{origin}: {'; '.join(problems)}") from error


def _problem(kind: str, place: tuple[int | str, ...], message: str) -> str:
    """What pydantic found, in words of a protocol."""
    field = str(place[0]) if place else "fields"
    if kind == "extra_forbidden":
        known = list(Protocol.model_fields)
        return f"{field!r} is no field of a protocol{_near(field, known) or '; there are: ' + ', '.join(known)}"
    return f"the field {field} is missing" if kind == "missing" else f"{field}: {message.removeprefix('Value error, ')}"


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _differ(one: Protocol, other: Protocol, field: str) -> bool:
    return getattr(one, field) != getattr(other, field)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
