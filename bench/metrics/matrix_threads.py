"""Decompositions of many matrices of some hundred rows, a thread for each of several.

LAPACK gains little from several threads on one such matrix. So every thread here computes alone, and no value depends
on how many there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")
Made = TypeVar("Made")


def in_threads(work: Callable[[Part], Made], parts: Iterable[Part]) -> list[Made]:
    """What ``work`` makes of each part with NumPy, on as many threads as torch has."""
    with one_thread_each(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(work, parts))


def one_thread_each() -> AbstractContextManager[object]:
    """Within it, products and decompositions take one thread: on a busy machine, several wait for each other."""
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> ThreadpoolController:
    """Those with threads of their own, which takes tens of milliseconds to find."""
    return ThreadpoolController()
