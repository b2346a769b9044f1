"""Two steps of every family and quantizer under mixed precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_trainings import FAMILIES, TinyTraining
from toklab.tokenizers.training.gradients import sound_gradients
from torch.nn import functional as F

GROWN = "progressive-8x"


REPEATED = {
    "vidtok-lfq",
    "vidtok-ae",
    "vidtok-vq-ema",
    "vidtok-vq-revived",
    "vidtok-v1.1",
    "vidtok-noncausal",
    "direct-8x",
    "cdt-base",
}
"""Families that only repeat what others of the same code show."""
IN_FLOAT16 = {"vidtok-fsq", "cdt-small"}
CASES = [
    pytest.param(family, precision, marks=pytest.mark.thorough if is_repeated else ())
    for family in FAMILIES
    for precision, is_repeated in (("bf16-mixed", family in REPEATED), ("16-mixed", family not in IN_FLOAT16))
]


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize(("family", "precision"), CASES)
def test_every_family_trains_under_mixed_precision(family: str, precision: str, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")
    found = {}
    for one in ("32-true", precision):
        training = TinyTraining(
            tmp_path / one,
            family,
            optimization={"precision": one, "learning_rate": 1e-4},
            # The last layer of a grown model is frozen.
            adversary={"adaptive": family != GROWN and not family.startswith("cdt")},
        )
        result = training.run()
        assert all(value.dtype != torch.bfloat16 for value in result.weights.values())
        assert all(value.isfinite().all() for value in result.weights.values() if value.is_floating_point())
        found[one] = training.logged()
    error = "mse" if family.startswith("cdt") else "l1"
    for mixed, exact in zip(found[precision], found["32-true"], strict=True):
        # Rounding to 8 bits changes little; another kernel's garbage would change much.
        assert mixed[error] == pytest.approx(exact[error], rel=0.05)
    if precision == "16-mixed":
        # A step that overflows halves the scale and moves nothing.
        assert {step["loss_scale"] for step in found[precision]} <= {2.0**n for n in range(14, 17)}
    else:
        assert found[precision][0][error] != found["32-true"][0][error], "nothing was computed in bfloat16"
        assert found[precision][0]["gradient_norm"] == pytest.approx(found["32-true"][0]["gradient_norm"], rel=0.3)


def test_gradients_of_few_frames_are_right_in_bfloat16() -> None:
    """A clip of two frames under a padded kernel of three: oneDNN leaves the gradient unset."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 8, 2, 4, 4, generator=generator).to(memory_format=torch.channels_last_3d)
    weight = torch.randn(8, 8, 3, 3, 3, generator=generator)
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        kernel = weight.to(dtype, copy=True).requires_grad_()
        y = F.conv3d(x.to(dtype), kernel, padding=1)
        with sound_gradients(bfloat16_on_cpu=dtype == torch.bfloat16):
            y.backward(torch.ones_like(y))
        assert kernel.grad is not None
        gradients.append(kernel.grad.float())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.02, atol=0.1)
