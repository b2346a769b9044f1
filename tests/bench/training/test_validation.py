from __future__ import annotations

from typing import Any

import pytest
import torch
from toklab.bench.catalog.plugin_code import EXACT, float32_precision, set_float32_precision
from toklab.bench.training.validation import reconstruction_quality
from toklab.tokenizers.catalog import build_tokenizer, load_cards

BACKENDS: Any = torch.backends


def test_a_training_that_allows_tf32_is_measured_without(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = build_tokenizer(load_cards()["vidtok-tiny-kl-4chn"])
    seen = []
    decode = tokenizer.decode

    def noting(encoded: Any) -> torch.Tensor:
        seen.append(float32_precision(BACKENDS))
        return decode(encoded)

    monkeypatch.setattr(tokenizer, "decode", noting)
    before = float32_precision(BACKENDS)
    BACKENDS.cuda.matmul.allow_tf32 = BACKENDS.cudnn.allow_tf32 = True
    try:
        reconstruction_quality(tokenizer, [torch.zeros(1, 3, 5, 16, 16)])
        assert BACKENDS.cudnn.allow_tf32
    finally:
        set_float32_precision(BACKENDS, before)
    assert seen == [EXACT]
