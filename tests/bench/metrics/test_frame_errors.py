"""Errors of frames and transitions: one pass for all metrics that ask, and one value whatever is beside a frame."""

from __future__ import annotations

import pytest
import torch
from metric_windows import make_batch, make_metric, random_video
from toklab.bench.metrics import flicker, frame_errors, psnr


def test_psnr_and_flicker_read_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def counted(reference: torch.Tensor, reconstruction: torch.Tensor) -> frame_errors.FrameErrors:
        calls.append(tuple(reference.shape))
        return frame_errors.frame_errors(reference, reconstruction)

    monkeypatch.setattr(psnr, "frame_errors", counted)
    monkeypatch.setattr(flicker, "frame_errors", counted)
    x, y = random_video(0), random_video(1)
    batch = make_batch(x, y)
    mse = make_metric("psnr").measure(batch)[0]["mse"]
    transitions = make_metric("flicker").measure(batch)[0]["errors"]
    assert calls == [tuple(x.shape)]
    assert mse.tolist() == psnr.frame_mse(x, y)[0].tolist()
    assert transitions.tolist() == flicker.transition_errors(x, y)[0].tolist()
    make_metric("psnr").measure(make_batch(x, y))
    assert len(calls) == 4


def test_a_frame_has_one_value_whatever_is_measured_beside_it() -> None:
    x, y = random_video(0, (2, 3, 3, 70, 61)), random_video(1, (2, 3, 3, 70, 61))
    together = frame_errors.frame_errors(x, y)
    for window in range(2):
        alone = frame_errors.frame_errors(x[window : window + 1, :, 1:], y[window : window + 1, :, 1:])
        assert torch.equal(alone.squared[0], together.squared[window, 1:])
        assert torch.equal(alone.transitions[0], together.transitions[window, 1:])
