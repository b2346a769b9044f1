"""The ablations of progressive growth: each changes what it says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.errors import TokenizerError
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.growth import Growth
from toklab.tokenizers.progressive.growth_start import grow_into
from toklab.tokenizers.progressive.model import ProgressiveModel, build_model, grow
from toklab.tokenizers.progressive.objective import ProgressiveObjective

SMALL = ProgressiveConfig(ratio=8, ch=8, num_res_blocks=1, z_channels=4, bootstrap=False)
KEY, FULL = torch.randn(2, 32, 3, 2, 3), torch.randn(2, 32, 5, 2, 3)

MakeLevel = Callable[..., Growth]


@pytest.fixture
def make_level() -> MakeLevel:
    """A level with the same weights whatever its switches, none of them zero."""

    def make(**switches: object) -> Growth:
        level = Growth(replace(SMALL, **switches)).eval().requires_grad_(False)  # type: ignore[arg-type]
        for name, parameter in level.named_parameters():
            generator = torch.Generator().manual_seed(sum(name.encode()))
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
        return level

    return make


def test_without_a_key_path_the_features_are_the_residual(make_level: MakeLevel) -> None:
    whole, residual = make_level().features(KEY, FULL), make_level(key_path=False).features(KEY, FULL)
    torch.testing.assert_close(whole - residual, KEY, rtol=0, atol=1e-5)


def test_without_mixing_the_key_reaches_the_residual_no_more(make_level: MakeLevel) -> None:
    mixed, plain = (make_level(key_path=False, mixing=mixing) for mixing in ("pooled", "none"))
    assert not torch.allclose(mixed.features(KEY, FULL), mixed.features(2 * KEY, FULL))
    assert torch.equal(plain.features(KEY, FULL), plain.features(2 * KEY, FULL))
    assert not any(name.startswith("affine") for name in plain.state_dict())
    # Nor is anything normalized before the level's encoder.
    assert torch.equal(plain.features(KEY, FULL), plain.encoder(FULL))


def test_mixing_by_location_follows_the_key_at_each_position_and_not_its_mean(make_level: MakeLevel) -> None:
    mirrored = KEY.flip(4)
    pooled, local = (make_level(key_path=False, mixing=mixing) for mixing in ("pooled", "location"))
    torch.testing.assert_close(pooled.features(KEY, FULL), pooled.features(mirrored, FULL))
    assert not torch.allclose(local.features(KEY, FULL), local.features(mirrored, FULL), atol=1e-3)
    # A key that is the same everywhere has nothing to say by location.
    even = KEY.mean((3, 4), keepdim=True).expand_as(KEY)
    torch.testing.assert_close(local.features(even, FULL), pooled.features(KEY, FULL))


@pytest.mark.slow
def test_without_a_key_path_a_level_starts_as_every_second_latent_of_the_base() -> None:
    base = build_model(ProgressiveConfig(ch=8, num_res_blocks=1, z_channels=4))
    assert isinstance(base, ProgressiveModel)
    video = torch.rand(1, 3, 17, 8, 8) * 2 - 1
    with torch.no_grad():
        for mixing, tolerance in (("none", 1e-6), ("pooled", 1e-4)):
            model = grow(base, replace(base.config, ratio=8, key_path=False, mixing=mixing))  # type: ignore[arg-type]
            expected = base.moments(video)[:, :, ::2]
            torch.testing.assert_close(model.moments(video), expected, rtol=tolerance, atol=tolerance)


def test_growth_takes_the_switches_of_the_grown_model_and_no_others() -> None:
    base = build_model(replace(SMALL, ratio=4, bootstrap=True))
    assert isinstance(base, ProgressiveModel)
    clips = torch.rand(2, 3, 17, 8, 8) * 2 - 1
    drawn = build_model(replace(SMALL, mixing="none"))
    assert isinstance(drawn, ProgressiveModel)
    grow_into(base, drawn, clips)
    assert drawn.level(8).encoder.downsample.conv_1.weight.count_nonzero() > 0
    with pytest.raises(TokenizerError, match="only bootstrap, key_path, mixing may differ"):
        grow(base, replace(SMALL, norm="group"))
    with pytest.raises(TokenizerError, match="only bootstrap may differ"):
        grow(drawn, replace(SMALL, ratio=16))


@pytest.mark.parametrize("ratio", [8, 16])
def test_an_unfrozen_base_learns_but_for_what_the_last_level_leaves_unused(ratio: int) -> None:
    model = build_model(replace(SMALL, ratio=ratio))
    assert isinstance(model, ProgressiveModel)
    objective = ProgressiveObjective(model, train_base=True).train()
    assert model.base.encoder.training
    objective(torch.rand(1, 3, 17, 8, 8) * 2 - 1, 0)["total"].backward()
    unused = {id(p) for lower in (4, 8) if lower < ratio for p in model.bottleneck(lower).parameters()}
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (id(parameter) in unused), name
    assert {id(p) for p in objective.trained_parameters()} == {id(p) for p in model.parameters()} - unused
