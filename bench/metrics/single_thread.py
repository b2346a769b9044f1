"""NumPy's products and decompositions of matrices of some hundred rows on one thread.

Several threads gain little on such a matrix, wait for each other where the machine is busy, and may change last digits.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


def single_thread() -> AbstractContextManager[object]:
    """Keeps them to one thread within its ``with`` block."""
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> ThreadpoolController:
    """Those with threads of their own, which takes tens of milliseconds to find."""
    return ThreadpoolController()
