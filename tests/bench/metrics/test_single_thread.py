from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from toklab.bench.metrics.single_thread import single_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_there_is_one_thread_within_the_block_and_as_many_as_before_behind_it() -> None:
    with threadpool_limits(2, "blas"):
        if blas_threads() != {2}:
            pytest.skip("the libraries here have one thread at most")
        with single_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}
