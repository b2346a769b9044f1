"""Every output that the official code stored, at the tolerances stored with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toklab.bench.conformance.selftest import compare_golden
from toklab.tokenizers.cdt.config import CDTConfig
from toklab.tokenizers.cdt.golden import golden_outputs, golden_parameters, recipe_state
from toklab.tokenizers.cdt.model import CDTModel
from toklab.tokenizers.cdt.schedule import sampling_steps, signal_shares
from toklab.tokenizers.golden import UnsupportedGolden
from torch import Tensor

pytestmark = pytest.mark.goldens

RELATIVE_ROUNDING = 2e-6
"""Of float32 values that the official code computes in another order."""


def golden_names() -> list[str]:
    shared = os.environ.get("TOKLAB_SHARED")
    if not shared:
        return ["(none)"]
    return sorted(path.parent.name for path in Path(shared, "goldens", "cdt").glob("*/config.json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", golden_names())
def test_outputs_equal_the_official_ones(shared: Path, name: str) -> None:
    folder = shared / "goldens" / "cdt" / name
    comparisons = list(compare_golden(folder))
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []
    given = {"x", "noise", "unet_x", "unet_t"}
    stored = {key for key in load_file(folder / "io.safetensors") if key.split(".")[-1] not in given}
    assert {comparison.tensor.removeprefix("io/") for comparison in comparisons} == stored


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", ["full_base_recipe", "full_small_recipe"])
def test_regenerated_weights_have_the_stored_checksum(shared: Path, name: str) -> None:
    config = json.loads((shared / "goldens" / "cdt" / name / "config.json").read_text())
    with torch.device("meta"):
        model = CDTModel(CDTConfig.from_parameters(golden_parameters(config)))
    state = recipe_state(model, config["weight_seed"])
    total = sum(float(value.double().sum()) for value in state.values())
    squares = sum(float(value.double().square().sum()) for value in state.values())
    assert (total, squares) == pytest.approx(
        (config["state_checksum"]["sum"], config["state_checksum"]["sumsq"]), rel=1e-6
    )


def test_the_schedule_is_the_official_one(shared: Path) -> None:
    stored = load_file(shared / "goldens" / "cdt" / "schedule" / "io.safetensors")
    for name, expected in stored.items():
        computed = _schedule(name)
        if name.endswith("index"):
            assert torch.equal(computed, expected), name
        else:
            torch.testing.assert_close(computed, expected, rtol=RELATIVE_ROUNDING, atol=0, msg=name)


def _schedule(name: str) -> Tensor:
    timesteps, *of_steps, what = name.split(".")
    num_timesteps = int(timesteps.removeprefix("N"))
    if not of_steps:
        return signal_shares(num_timesteps)
    steps = sampling_steps(num_timesteps, int(of_steps[0].removeprefix("S")))[::-1]
    fields = {
        "index": "index",
        "alphas_cumprod": "share",
        "alphas_cumprod_prev": "next_share",
        "sigma": "sigma",
        "sqrt_recip_alphas_cumprod": "recip",
        "sqrt_recipm1_alphas_cumprod": "recip_minus_one",
    }
    return torch.tensor([getattr(step, fields[what]) for step in steps])


def test_other_files_are_not_supported() -> None:
    with pytest.raises(UnsupportedGolden, match="io_other"):
        golden_outputs({"constructor": {}}, {}, {}, "io_other")
