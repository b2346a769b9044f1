"""Every output of every ported family that the official code stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open
from toklab.bench.conformance.selftest import compare_golden, find_goldens
from toklab.tokenizers.baselines.opensora.golden import golden_outputs
from toklab.tokenizers.golden import UnsupportedGolden

FOLDERS = ("baselines", "baselines_2")
GOLDENS = (
    *("cosmos_cv4x8x8", "cosmos_cv8x8x8", "cosmos_dv4x8x8"),
    *("cvvae_sd", "cvvae_sd3"),
    *("leanvae", "wfvae", "wfvae_groupnorm"),
    *("omnitokenizer_vae", "omnitokenizer_vq", "open_magvit2_video"),
    *("opensora_v1_2", "opensoraplan_v1_2"),
    *("taehv", "taehv_cogvideox", "taehv_h3", "taehv_ltx", "taehv_patch2"),
)
FROM_DIFFUSERS = ("cosmos", "opensora_")
"""How the names of families begin that take networks from diffusers."""
ROUNDING = 1e-5
"""Of the largest value: what a careful second implementation reaches, beyond the goldens' own tolerances."""
LOOSER = {"cvvae_sd": 3e-5}
"""Where rounding adds up to more: a decoder over 21 frames whose norms see all of a chunk."""


@pytest.mark.goldens
def test_every_golden_is_tested(shared: Path) -> None:
    assert {path.name for path in find_goldens([shared / "goldens" / folder for folder in FOLDERS])} == set(GOLDENS)


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.parametrize("name", GOLDENS)
def test_outputs_equal_the_official_ones_to_rounding(shared: Path, name: str) -> None:
    if name.startswith(FROM_DIFFUSERS):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    (folder,) = (path for path in (shared / "goldens" / each / name for each in FOLDERS) if path.is_dir())
    comparisons = list(compare_golden(folder))
    largest = LOOSER.get(name, ROUNDING)
    assert [str(one) for one in comparisons if not one.error <= min(one.tolerance, largest)] == []
    with safe_open(folder / "io.safetensors", "pt") as stored:
        outputs = {f"io/{tensor}" for tensor in stored.keys() if not tensor.startswith("input")}  # noqa: SIM118
    assert {comparison.tensor for comparison in comparisons} == outputs


def test_a_case_that_does_not_exist_is_not_supported() -> None:
    with pytest.raises(UnsupportedGolden, match="io_other"):
        golden_outputs({}, {}, {}, "io_other")
