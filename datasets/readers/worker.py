"""Decoding in a child process that can be killed: decoders hang in native code, crash and leak.

The child is a plain Python process that runs :func:`toklab.datasets.readers.worker_process.serve`; it never imports the
caller's main module, so scripts, notebooks and test runners can all use it. It ends when its pipe closes, and an alarm
of the operating system ends it should it hang while the parent is gone. Clips come back in memory that both processes
map: see :mod:`.shared_arrays`.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from ..interface import UnreadableVideo, VideoSource
from ..training_videos import TrainingVideo
from .choice import ReaderChoice
from .clip_cutter import ClipRequest, CutClip, UnusableVideo
from .interface import ReaderName, VideoFacts
from .shared_arrays import has_descriptor_passing, receive_message

START_TIMEOUT_S = 300.0
"""The first start imports torch, which may come from a slow network disk."""

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import serve; serve()"


class WorkerLost(UnreadableVideo):
    """The child timed out and was killed, or crashed; the next request starts another one."""


class WorkerTimeout(WorkerLost):
    """The child took too long and was killed."""


class FrameTransform(Protocol):
    """What the child applies to the decoded frames; :class:`toklab.datasets.protocol.Protocol` is one."""

    def transform(self, frames: np.ndarray) -> Tensor:
        """Turn (T, H, W, 3) uint8 into (C, T, H, W) float32."""
        ...


class DecodedClip(NamedTuple):
    """What the child gives for a window."""

    video: np.ndarray
    """(C, T, H, W) float32."""
    reader: ReaderName
    """The reader that decoded it; PyAV where decord broke off and the choice was free."""
    damage: str = ""
    """What shows that frames of it are damaged; empty if nothing does."""


class DecodeWorker:
    """A child process that opens one source at a time, started by the first request. Requests take turns."""

    def __init__(self, timeout_s: float = 120.0):
        """``timeout_s``: seconds that a request may take before the child is killed."""
        self.timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: IO[bytes] | None = None
        self._descriptors: socket.socket | None = None
        self._turn = threading.Lock()

    def probe(self, source: VideoSource, reader: ReaderChoice = "auto") -> VideoFacts:
        """Open a source and say what it is. Raises :class:`UnreadableVideo`, :class:`WorkerLost` among them."""
        return self._request("probe", source, reader)

    def decode(
        self, source: VideoSource, frame_ids: Sequence[int], transform: FrameTransform, reader: ReaderChoice = "auto"
    ) -> DecodedClip:
        """Decode frames of a source and transform them. Raises :class:`UnreadableVideo` as ``probe`` does.

        ``transform`` must be picklable.
        """
        return DecodedClip(*self._request("decode", source, reader, tuple(frame_ids), transform))

    def cut(self, video: TrainingVideo, request: ClipRequest) -> CutClip:
        """Cut a training clip out of a video. Raises :class:`UnreadableVideo`, :class:`UnusableVideo` among them."""
        return CutClip(*self._request("cut", video, request))

    def start(self) -> None:
        """Start the child now, which takes seconds, and not with the first request."""
        with self._turn:
            if self._process is None:
                self._start()

    def kill(self) -> None:
        """End the child at once, from any thread; a request in progress raises :class:`WorkerLost`."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the child and wait for its end. A later request starts another one."""
        with self._turn:
            self._forget()

    def _request(self, *request: Any) -> Any:
        with self._turn:
            if self._process is None:
                self._start()
            kind, answer = self._exchange(request, self.timeout_s)
        if kind == "unusable":
            raise UnusableVideo(answer)
        if kind == "unreadable":
            raise UnreadableVideo(answer)
        return answer

    def _start(self) -> None:
        module = f"{__name__}_process"
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 – closed in _forget
        theirs: socket.socket | None = None
        if has_descriptor_passing():
            self._descriptors, theirs = socket.socketpair()
        passed = () if theirs is None else (theirs.fileno(),)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START.format(module=module), json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._messages,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                pass_fds=passed,
            )
        finally:
            if theirs is not None:
                theirs.close()
        try:
            self._exchange(("start", self.timeout_s, *passed), START_TIMEOUT_S)
        except WorkerLost as error:
            raise RuntimeError(f"the decoding process doesn't start: {error}") from None

    def _exchange(self, request: tuple[Any, ...], timeout_s: float) -> tuple[str, Any]:
        """Send a request and wait for its answer, at most ``timeout_s`` seconds."""
        message = pickle.dumps(request, protocol=5)
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(message)
            process.stdin.flush()
            return receive_message(process.stdout, self._descriptors)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                # The child is well: this process found no room for what it sent.
                process.kill()
                process.wait()
                raise WorkerLost(f"the decoded frames can't be taken over: {error.strerror}") from None
            process.wait()
            if timed_out.is_set():
                raise WorkerTimeout(f"timed out after {timeout_s:g} s") from None
            raise WorkerLost(self._describe_end(process.returncode)) from None
        finally:
            timer.cancel()
            if process.poll() is not None:
                self._forget()

    def _describe_end(self, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            return f"the decoding process was ended by {name}" + (
                ", perhaps because memory ran out" if code == -9 else ""
            )
        assert self._messages is not None
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return f"the decoding process ended with code {code}" + (f": {lines[-1]}" if lines else "")

    def _forget(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, self._messages, self._descriptors):
            if pipe is not None:
                _close_quietly(pipe)
        self._descriptors = None


def _close_quietly(pipe: IO[bytes] | socket.socket) -> None:
    """Close a pipe whose other end may be gone, with bytes still to be sent."""
    try:
        pipe.close()
    except BrokenPipeError:
        return
