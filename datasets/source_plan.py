"""What a source is and which windows it has, found before anything of it is decoded."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

from .identity import content_id
from .interface import WHOLE_SOURCE, FailedClip, UnreadableVideo, VideoSource, Window
from .lock import GoneVideo, Lock
from .protocol import Protocol
from .readers.choice import ReaderChoice
from .readers.interface import VideoFacts
from .readers.worker import DecodeWorker

KnownFacts = MutableMapping[tuple[str, VideoSource, str], VideoFacts]
"""What sources were found to be, by content, source and reader choice."""


@dataclass(frozen=True)
class SourcePlan:
    """A source that could be opened, and its windows."""

    source: VideoSource
    content_id: str
    """SHA-256 of the content, hexadecimal."""
    facts: VideoFacts
    windows: tuple[Window, ...]

    @property
    def num_frames(self) -> int:
        """Frames of the source."""
        return self.facts.num_frames

    @property
    def fps(self) -> float:
        """Average frame rate of the source, frames/s."""
        return self.facts.fps


class SourcePlanner:
    """Opens sources and cuts their windows; asked by several threads, each with a worker of its own."""

    def __init__(
        self, protocol: Protocol, reader: ReaderChoice, known_facts: KnownFacts, lock: Lock | None, *, causal: bool
    ):
        """See :class:`toklab.datasets.stream.ClipStream`."""
        self._protocol = protocol
        self._reader: ReaderChoice = reader
        self._known_facts = known_facts
        self._lock = lock
        self._causal = causal

    def plan(self, source: VideoSource, worker: DecodeWorker) -> SourcePlan | FailedClip:
        """A source with its windows, or why there are none."""
        identity, reader = "", self._reader
        try:
            if isinstance(source, GoneVideo):
                raise UnreadableVideo(f"{source.key}: the dataset has no such video, but {source.path} lists it")
            identity = content_id(source)
            if self._lock is not None:
                self._lock.check(source, identity)
            facts = self._facts(source, identity, worker)
            reader = facts.reader
            windows = self._protocol.windows(facts.num_frames, facts.fps, causal=self._causal)
        except ValueError as error:
            return FailedClip(source.key, identity, Window(WHOLE_SOURCE, ()), reader, str(error))
        return SourcePlan(source, identity, facts, tuple(windows))

    def _facts(self, source: VideoSource, identity: str, worker: DecodeWorker) -> VideoFacts:
        key = (identity, source, self._reader)
        if key not in self._known_facts:
            self._known_facts[key] = worker.probe(source, self._reader)
        return self._known_facts[key]
