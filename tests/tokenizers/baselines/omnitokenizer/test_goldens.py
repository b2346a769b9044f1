"""Every output that the official code stored, and the tensors of the full-size models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toklab.bench.conformance.selftest import compare_golden
from toklab.tokenizers.baselines.omnitokenizer.adapter import OmniTokenizerTokenizer
from toklab.tokenizers.baselines.omnitokenizer.golden import golden_outputs
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.golden import UnsupportedGolden

pytestmark = pytest.mark.goldens


@pytest.mark.parametrize("variant", ["vq", "vae"])
def test_outputs_equal_the_official_ones(shared: Path, variant: str) -> None:
    folder = shared / "goldens" / "baselines" / f"omnitokenizer_{variant}"
    comparisons = list(compare_golden(folder))
    assert not [str(comparison) for comparison in comparisons if not comparison.passed]
    stored = set(json.loads((folder / "config.json").read_text())["io"])
    assert {comparison.tensor.removeprefix("io/") for comparison in comparisons} == stored - {"input"}


@pytest.mark.parametrize("variant", ["vq", "vae"])
def test_full_size_models_have_the_official_tensors(shared: Path, variant: str) -> None:
    official = json.loads((shared / "goldens" / "baselines" / f"omnitokenizer_{variant}_keys.json").read_text())
    tokenizer = build_on_meta(load_cards()[f"omnitokenizer-{variant}"])
    assert isinstance(tokenizer, OmniTokenizerTokenizer)
    state = {name: list(value.shape) for name, value in tokenizer.model.state_dict().items()}
    assert state == official["state_dict"]
    parameters = [p for module in tokenizer.modules().values() for p in module.parameters()]
    assert sum(parameter.numel() for parameter in parameters) == official["params"]


def test_a_case_without_inputs_is_not_supported(shared: Path) -> None:
    folder = shared / "goldens" / "baselines" / "omnitokenizer_vq"
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(UnsupportedGolden, match="io_other"):
        golden_outputs(config, {}, {}, "io_other")
