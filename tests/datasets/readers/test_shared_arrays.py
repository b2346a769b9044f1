"""Arrays between processes: whole, writable, without a name, and through the pipe where there is no other way."""

from __future__ import annotations

import io
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from toklab.datasets.readers import shared_arrays
from toklab.datasets.readers.shared_arrays import receive_message, send_message

ARRAYS = [np.random.default_rng(0).random(shape, dtype=np.float32) for shape in ((3, 5, 67, 101), (7,), (2, 40_001))]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _sent(ends: tuple[socket.socket, socket.socket]) -> tuple[int, list[np.ndarray]]:
    """Bytes that went through the pipe, and what arrived."""
    pipe = io.BytesIO()
    send_message(pipe, ends[0], ("ok", ARRAYS))
    num_bytes = pipe.tell()
    pipe.seek(0)
    kind, arrays = receive_message(pipe, ends[1])
    assert kind == "ok"
    return num_bytes, arrays


def _refuse(num_bytes: int) -> int:
    raise OSError(38, "Function not implemented")


@pytest.mark.parametrize("place", ["memory", "disk", "pipe", "full disk", "many files"])
def test_arrays_arrive_whatever_place_there_is(
    ends: tuple[socket.socket, socket.socket], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if place in ("disk", "full disk", "pipe"):
        monkeypatch.setattr(shared_arrays, "_file_in_memory", _refuse)
    if place == "pipe":
        monkeypatch.setattr(shared_arrays, "_file_on_disk", _refuse)
    if place == "full disk":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
    if place == "many files":
        monkeypatch.setattr(shared_arrays, "MOST_DESCRIPTORS", 0)
    num_bytes, arrays = _sent(ends)
    for one, other in zip(ARRAYS, arrays, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
        # Torch takes writable arrays only.
        other += 1
    assert (num_bytes < 10_000) == (place not in ("pipe", "full disk"))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_the_memory_goes_with_the_array(ends: tuple[socket.socket, socket.socket]) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("toklab-clip")

    descriptors = len(os.listdir("/proc/self/fd"))
    _, arrays = _sent(ends)
    assert mapped() == 1
    assert "(deleted)" in next(line for line in Path("/proc/self/maps").read_text().splitlines() if "toklab-c" in line)
    del arrays
    assert mapped() == 0
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_without_a_connection_all_goes_through_the_pipe() -> None:
    pipe = io.BytesIO()
    send_message(pipe, None, ARRAYS[0])
    pipe.seek(0)
    assert np.array_equal(receive_message(pipe, None), ARRAYS[0])
