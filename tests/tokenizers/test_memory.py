from __future__ import annotations

import platform
import resource
import threading

import pytest
import torch
from toklab.tokenizers.memory import freed_memory_kept

VALUES = 2**25
"""Of 128 MiB in float32: far above what glibc keeps by itself."""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library isn't glibc")


def faults_of_a_block() -> int:
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    torch.ones(VALUES)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_freed_block_serves_the_next_and_is_given_back_at_the_end() -> None:
    outside = faults_of_a_block()
    with freed_memory_kept():
        with freed_memory_kept():
            faults_of_a_block()
        inside = faults_of_a_block()
    assert inside < outside / 10
    assert faults_of_a_block() > outside / 2


def test_passes_in_several_threads_end_in_any_order() -> None:
    entered, release = threading.Event(), threading.Event()

    def other() -> None:
        with freed_memory_kept():
            entered.set()
            release.wait(10)

    thread = threading.Thread(target=other)
    with freed_memory_kept():
        thread.start()
        entered.wait(10)
    release.set()
    thread.join()
    faults_of_a_block()
    assert faults_of_a_block() > 1000


def test_an_error_ends_the_keeping() -> None:
    with pytest.raises(ValueError, match="oops"), freed_memory_kept():
        raise ValueError("oops")
    faults_of_a_block()
    assert faults_of_a_block() > 1000
