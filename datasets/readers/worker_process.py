"""The child side of :mod:`toklab.datasets.readers.worker`: answers requests until its input ends."""

from __future__ import annotations

import math
import os
import pickle
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

import torch

from .. import protocol as protocol
from ..interface import UnreadableVideo, VideoSource
from ..training_videos import TrainingVideo
from .choice import ReaderChoice, open_reader
from .clip_cutter import ClipRequest, CutClip, UnusableVideo, cut_clip
from .coding import coding_of
from .damage import DamageWatch
from .interface import ReaderName, VideoFacts, VideoReader
from .shared_arrays import send_message

GRACE_S = 10.0
"""The parent kills a child that is late; a child whose parent is gone ends itself this many seconds later."""


class OpenSource:
    """The source that is open, kept for the windows that follow."""

    def __init__(self) -> None:
        self._key: tuple[VideoSource, ReaderChoice] | None = None
        self._reader: VideoReader | None = None
        self._watch: DamageWatch | None = None

    def open(self, source: VideoSource, choice: ReaderChoice) -> VideoReader:
        """The reader of a source, opened anew unless it is the one that is open."""
        if self._reader is None or self._key != (source, choice):
            self.close()
            self._reader = open_reader(source, choice)
            self._key = (source, choice)
        return self._reader

    def close(self) -> None:
        """Close what is open."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def probe(self, source: VideoSource, choice: ReaderChoice) -> VideoFacts:
        """What the source is."""
        return replace(self.open(source, choice).facts, coding=coding_of(source))

    def decode(
        self, source: VideoSource, choice: ReaderChoice, frame_ids: tuple[int, ...], transform: Any
    ) -> tuple[Any, ReaderName, str]:
        """The transformed clip as a float32 array, the reader it came from, and the damage that it rests on."""
        reader = self.open(source, choice)
        try:
            frames = reader.frames(frame_ids)
        except UnreadableVideo:
            if reader.name != "decord":
                raise
            # A decord reader is of no use after an error, and where it fails depends on how far it has read ahead.
            self.close()
            if choice == "decord":
                raise
            self._reader = reader = open_reader(source, "pyav")
            frames = reader.frames(frame_ids)
        damage = self._damage(source, max(frame_ids))
        return transform.transform(frames).contiguous().numpy(), reader.name, damage

    def cut(self, video: TrainingVideo, request: ClipRequest) -> CutClip:
        """A training clip; nothing stays open, as the next one comes from another video."""
        return cut_clip(video, request)

    def _damage(self, source: VideoSource, last_frame: int) -> str:
        """The damage of a video file as far as a frame, in words; empty if there is none."""
        if source.kind != "video":
            return ""
        if self._watch is None:
            self._watch = DamageWatch(source.path)
        damage = self._watch.damage_through(last_frame)
        return "" if damage is None else str(damage)


def answer(source: OpenSource, request: tuple[Any, ...]) -> tuple[str, Any]:
    """Carry out one request: ``("ok", answer)``, or ``("unreadable", reason)`` or ``("unusable", reason)``."""
    action, *arguments = request
    try:
        return "ok", getattr(source, action)(*arguments)
    except UnusableVideo as error:
        return "unusable", str(error)
    except UnreadableVideo as error:
        return "unreadable", str(error)
    except Exception as error:
        return "unreadable", f"{arguments[0].path}: {type(error).__name__}: {error}"


def serve() -> None:
    """Answer requests from standard input on standard output; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    torch.set_num_threads(1)
    requests = sys.stdin.buffer
    _, timeout_s, *descriptors = pickle.load(requests)
    connection = socket.socket(fileno=descriptors[0]) if descriptors else None
    send_message(answers, connection, ("ok", None))
    source = OpenSource()
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            # At an orderly end, destructors of native decoders would run, and may hang.
            os._exit(0)
        _set_alarm(timeout_s + GRACE_S)
        reply = answer(source, request)
        _set_alarm(0)
        try:
            send_message(answers, connection, reply)
        except BrokenPipeError:
            return


def _set_alarm(seconds: float) -> None:
    """Have the operating system end this process, even one that hangs in native code; 0 calls it off."""
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(seconds))
