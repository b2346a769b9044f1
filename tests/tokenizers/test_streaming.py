from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.streaming import regroup


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 5))
def test_regrouping_keeps_every_frame(lengths: list[int], following: int) -> None:
    total = sum(lengths)
    pieces = torch.arange(total).view(1, 1, -1).split(lengths, 2)
    blocks = list(regroup(pieces, 1, following))
    assert torch.cat([block for block, _, _ in blocks], 2).flatten().tolist() == list(range(total))
    assert [starts for _, starts, _ in blocks] == [True] + [False] * (len(blocks) - 1)
    assert [ends for _, _, ends in blocks] == [False] * (len(blocks) - 1) + [True]
    assert all(block.shape[2] == following for block, _, _ in blocks[1:-1])
