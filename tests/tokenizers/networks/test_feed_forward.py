from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.networks.feed_forward import feed_forward


@pytest.mark.parametrize(("channels", "hidden"), [(128, 341), (384, 1024), (512, 1365)])
def test_hidden_widths_are_rounded_as_officially(channels: int, hidden: int) -> None:
    layer = feed_forward(channels)[1]
    assert isinstance(layer, torch.nn.Linear)
    assert layer.out_features == 2 * hidden
