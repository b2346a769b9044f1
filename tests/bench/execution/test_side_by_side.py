"""What the side-by-side video shows of a window, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fake_tokenizers import Average, NaNProducing
from toklab.bench.execution.device import open_device
from toklab.bench.execution.reconstruction_checks import NonFiniteReconstruction
from toklab.bench.execution.side_by_side import _show_window
from toklab.datasets.interface import Clip, Window
from torch import Tensor

CPU = open_device("cpu")


def clip_of(video: Tensor, frame_ids: tuple[int, ...]) -> Clip:
    return Clip("a.mp4", "content", Window(3, frame_ids), 4, 25.0, "memory", video)


def test_frames_that_fill_a_window_up_are_neither_shown_nor_counted() -> None:
    video = torch.rand(3, 5, 16, 16) * 2 - 1
    video[:, 3:] = video[:, 2:3]
    shown = _show_window(clip_of(video, (7, 8, 9, 9, 9)), {"average": Average()}, CPU)
    assert shown.reference.shape == shown.made["average"].shape == (3, 16, 16, 3)
    tokenizer = Average()
    made = tokenizer.decode(tokenizer.encode(video[None]))[0]
    errors = ((made - video) / 2).double().square().mean((0, 2, 3))[:3]
    np.testing.assert_allclose(shown.psnr["average"], -10 * torch.log10(errors + 1e-8), rtol=1e-6)


def test_a_tokenizer_that_makes_nan_is_named() -> None:
    video = torch.rand(3, 5, 16, 16) * 2 - 1
    with pytest.raises(NonFiniteReconstruction, match=r"nan: .* 768 NaN .* in frames \[1\] of window 3"):
        _show_window(clip_of(video, (0, 1, 2, 3, 4)), {"nan": NaNProducing()}, CPU)
