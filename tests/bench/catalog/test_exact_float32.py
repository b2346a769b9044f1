"""Switches of torch that would make other numbers of float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from toklab.bench.catalog.exact_float32 import exact_float32
from toklab.bench.catalog.plugin_code import float32_precision, set_float32_precision

BACKENDS: Any = torch.backends


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before, of_cudnn = float32_precision(BACKENDS), BACKENDS.cudnn.fp32_precision
    yield
    BACKENDS.cudnn.fp32_precision = of_cudnn
    set_float32_precision(BACKENDS, before)


def _nothing() -> None:
    pass


def _older() -> None:
    BACKENDS.cuda.matmul.allow_tf32 = BACKENDS.cudnn.allow_tf32 = True


def _newer() -> None:
    BACKENDS.fp32_precision = "tf32"


def _of_cudnn() -> None:
    BACKENDS.cudnn.fp32_precision = "tf32"


def _both() -> None:
    _older()
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    BACKENDS.cudnn.conv.fp32_precision = "ieee"


def _product() -> None:
    torch.set_float32_matmul_precision("high")


@pytest.mark.parametrize("user_sets", [_nothing, _older, _newer, _of_cudnn, _both, _product])
def test_nothing_rounds_whichever_switch_the_user_has_set(user_sets: Callable[[], None]) -> None:
    user_sets()
    before = float32_precision(BACKENDS)
    with exact_float32():
        assert float32_precision(BACKENDS) == ([False, False], ["ieee"] * 4)
    assert float32_precision(BACKENDS) == before
