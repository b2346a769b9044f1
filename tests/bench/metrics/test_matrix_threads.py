from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info
from toklab.bench.metrics.matrix_threads import in_threads


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("num_threads", [1, 3])
def test_results_keep_their_order_and_do_not_depend_on_the_number_of_threads(num_threads: int) -> None:
    matrices = np.random.default_rng(0).normal(size=(20, 60, 60))
    expected = [np.linalg.svd(matrix, compute_uv=False).sum() for matrix in matrices]
    before, blas_before = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(num_threads)
    try:
        found = in_threads(lambda matrix: (np.linalg.svd(matrix, compute_uv=False).sum(), blas_threads()), matrices)
    finally:
        torch.set_num_threads(before)
    assert [norm for norm, _ in found] == pytest.approx(expected, rel=1e-12)
    assert all(set(counts) == {1} for _, counts in found)
    assert blas_threads() == blas_before


def test_an_error_in_a_thread_is_that_of_the_call() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 // part, range(os.cpu_count() or 1))
