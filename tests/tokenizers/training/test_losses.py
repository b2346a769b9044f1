from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.training.adversary import Adversary
from toklab.tokenizers.training.losses import ReconstructionTerms, WeightedLoss, multi_scale_ssim_loss
from torch.nn import functional as F


def test_one_scale_of_the_ssim_loss_is_scikit_images_ssim() -> None:
    from skimage.metrics import structural_similarity

    x, y = torch.rand(2, 1, 3, 2, 20, 16)
    similarity = [
        structural_similarity(
            x[0, channel, frame].double().numpy(),
            y[0, channel, frame].double().numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            full=True,
        )[1][5:-5, 5:-5].mean()
        for channel in range(3)
        for frame in range(2)
    ]
    loss = multi_scale_ssim_loss(x * 2 - 1, y * 2 - 1)
    assert loss.item() == pytest.approx(1 - sum(similarity) / 6, abs=1e-5)


def test_ssim_loss_averages_scales_and_is_zero_for_equal_clips() -> None:
    x, y = torch.rand(2, 1, 3, 2, 32, 32) * 2 - 1

    def halved(video: torch.Tensor) -> torch.Tensor:
        return F.avg_pool3d(video, (1, 2, 2))

    # 16 pixels are one scale, 32 are two.
    fine = 2 * multi_scale_ssim_loss(x, y) - multi_scale_ssim_loss(halved(x), halved(y))
    assert 0 < fine < 2
    assert multi_scale_ssim_loss(x, x).abs() < 1e-5
    with pytest.raises(ValueError, match="11 pixels"):
        multi_scale_ssim_loss(x[..., :8], y[..., :8])


def test_terms_start_at_their_step_and_report_their_values() -> None:
    terms = ReconstructionTerms(
        {
            "square": WeightedLoss(lambda x, y: (x - y).square().mean(), 2.0),
            "late": WeightedLoss(lambda x, y: (x - y).abs().mean(), 1.0, start=3),
        }
    )
    x, y = torch.full((1, 3, 1, 4, 4), 0.5), torch.zeros(1, 3, 1, 4, 4)
    assert terms(x, y).item() == pytest.approx(0.5)
    assert terms.values.keys() == {"square"}
    terms.step = 3
    assert terms(x, y).item() == pytest.approx(1.0)
    assert terms.values["late"].item() == pytest.approx(0.5)


def test_the_adversary_learns_to_tell_and_leaves_its_weights_alone_in_the_generators_pass() -> None:
    adversary = Adversary(width=4)
    clip = torch.rand(2, 3, 5, 16, 16)
    fake = (clip.flip(4) * 0.5).requires_grad_()
    adversary(fake, clip).backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in adversary.parameters())
    optimizer = torch.optim.Adam(adversary.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        adversary(fake, clip)
        loss = adversary.discriminator_loss()
        assert loss is not None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert adversary.discriminator_loss() is None
