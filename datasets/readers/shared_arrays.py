"""Messages between two processes whose arrays lie in memory that both map, and not in the pipe.

The memory has no name: it is a file that exists in no folder, and its descriptor goes through a Unix socket. So the
kernel frees it when the last process that holds it ends, however it ends. Linux has anonymous files in memory, which
need no ``/dev/shm``. Elsewhere, and where there are none to be had, it is a temporary file that is unlinked before
anything is written. Where neither can be had, the arrays go through the pipe.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

SMALLEST_SHARED = 1 << 18
"""Bytes. Less than this is sooner sent than mapped."""
ALIGNMENT = 64
"""Of each array in its file, in bytes."""
SPARE_SHARE = 0.5
"""Share of a disk's free space that a temporary file may take at most."""
MOST_DESCRIPTORS = 512
"""A mapped file keeps its descriptor. Numbers from here on are left to others: such arrays are copied."""


def has_descriptor_passing() -> bool:
    """Whether this platform passes descriptors from one process to another."""
    return hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")


def send_message(pipe: IO[bytes], connection: socket.socket | None, message: Any) -> None:
    """Send a message that :func:`receive_message` gives back; its arrays through shared memory if that is possible.

    Args:
        pipe: where the message goes.
        connection: Unix socket for the descriptor; ``None``: all goes through the pipe.
        message: anything picklable.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    arrays = [buffer.raw() for buffer in buffers]
    sizes = tuple(array.nbytes for array in arrays)
    if connection is None or sum(sizes) < SMALLEST_SHARED or not _share(connection, arrays):
        body, sizes = pickle.dumps(message, protocol=5), ()
    pickle.dump((sizes, body), pipe, protocol=5)
    pipe.flush()


def receive_message(pipe: IO[bytes], connection: socket.socket | None) -> Any:
    """The next message; its arrays are writable and are nobody else's.

    Raises:
        EOFError: if the sender has ended.
    """
    sizes, body = pickle.load(pipe)
    if not sizes:
        return pickle.loads(body)
    assert connection is not None
    content = memoryview(_receive_file(connection, sizes))
    return pickle.loads(body, buffers=[content[start : start + size] for start, size in _places(sizes)])


def _places(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Where each array starts in the file, and its bytes."""
    padded = [-(-size // ALIGNMENT) * ALIGNMENT for size in sizes]
    return list(zip(itertools.accumulate(padded, initial=0), sizes, strict=False))


def _share(connection: socket.socket, arrays: Sequence[memoryview]) -> bool:
    """Write arrays into a file without a name and send its descriptor; ``False`` if there is no room for one."""
    places = _places([array.nbytes for array in arrays])
    for descriptor in _files_without_name(sum(places[-1])):
        try:
            for array, (start, _) in zip(arrays, places, strict=True):
                _write(descriptor, array, start)
            socket.send_fds(connection, [b"\0"], [descriptor])
        except OSError:
            # No memory, no room on the disk, or not allowed: the next kind of file may do.
            continue
        else:
            return True
        finally:
            os.close(descriptor)
    return False


def _files_without_name(num_bytes: int) -> Iterator[int]:
    """Descriptors of empty files that no folder lists, the best one first; to be closed by the one who takes them."""
    for make in (_file_in_memory, _file_on_disk):
        try:
            descriptor = make(num_bytes)
        except OSError:
            # A sandbox may forbid one kind, and a machine lack the other.
            continue
        if descriptor is not None:
            yield descriptor


def _file_in_memory(num_bytes: int) -> int | None:
    make = getattr(os, "memfd_create", None)
    return make("toklab-clip") if make is not None else None


def _file_on_disk(num_bytes: int) -> int | None:
    folder = tempfile.gettempdir()
    if num_bytes > shutil.disk_usage(folder).free * SPARE_SHARE:
        return None
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.dup(file.fileno())


def _write(descriptor: int, content: memoryview, start: int) -> None:
    content = content.cast("B")
    written = 0
    while written < content.nbytes:
        written += os.pwrite(descriptor, content[written:], start + written)


def _receive_file(connection: socket.socket, sizes: Sequence[int]) -> mmap.mmap | bytearray:
    """The content of the file whose descriptor comes next."""
    num_bytes = sum(_places(sizes)[-1])
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    if not descriptors:
        raise EOFError("the descriptor of an array is missing")
    (descriptor,) = descriptors
    try:
        if descriptor < MOST_DESCRIPTORS:
            return mmap.mmap(descriptor, num_bytes)
        content = bytearray(num_bytes)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            file.readinto(content)
        return content
    finally:
        os.close(descriptor)
