"""Every output that the official code stored, at the tolerances stored with it."""

from __future__ import annotations

import fnmatch
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toklab.tokenizers.golden import UnsupportedGolden
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.golden import golden_outputs, golden_parameters
from toklab.tokenizers.vidtok.model import VidTokModel

pytestmark = pytest.mark.goldens


def golden_names() -> list[str]:
    shared = os.environ.get("TOKLAB_SHARED")
    if not shared:
        return ["(none)"]
    return sorted(path.parent.name for path in Path(shared, "goldens", "vidtok").glob("*/config.json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", golden_names())
def test_outputs_equal_the_official_ones(shared: Path, name: str) -> None:
    folder = shared / "goldens" / "vidtok" / name
    config = json.loads((folder / "config.json").read_text())
    state = load_file(folder / "state.safetensors")
    for case in config["cases"]:
        stored = load_file(folder / f"{case}.safetensors")
        inputs = {"x": load_file(folder / "io.safetensors")["x"]} | stored
        outputs = golden_outputs(config, state, inputs, case)
        for tensor in set(stored) - {"x", "noise"}:
            if any(fnmatch.fnmatchcase(tensor, pattern) for pattern in config["optional"]):
                continue
            (tolerance,) = {
                limit for pattern, limit in config["tolerances"].items() if fnmatch.fnmatchcase(tensor, pattern)
            }
            reference = stored[tensor].double()
            error = (outputs[tensor].double() - reference).abs().max() / max(1.0, reference.abs().max().item())
            assert error <= tolerance, f"{name} {case} {tensor}: {error:.2e} > {tolerance:.0e}"


@pytest.mark.slow
@pytest.mark.parametrize("name", golden_names())
def test_frame_counts_equal_the_official_ones(shared: Path, name: str) -> None:
    config = json.loads((shared / "goldens" / "vidtok" / name / "config.json").read_text())
    model = VidTokModel(VidTokConfig.from_parameters(golden_parameters(config))).eval()
    size = model.config.spatial_factor
    for num_frames, official in config["frame_table"].items():
        if "error" in official or int(num_frames) > 20:
            continue
        video = torch.zeros(1, 3, int(num_frames), size, size)
        with torch.no_grad():
            assert model.encode(video).shape[2] == official["latent_T"], num_frames
            if "forward_T" in official:
                assert model.reconstruct(video).shape[2] == official["forward_T"], num_frames


def test_kl_is_the_official_loss(shared: Path) -> None:
    folder = shared / "goldens" / "vidtok" / "kl_causal_488_nrb2"
    config = json.loads((folder / "config.json").read_text())
    model = VidTokModel(VidTokConfig.from_parameters(golden_parameters(config)))
    features = load_file(folder / "io.safetensors")["enc_out"]
    quantization = model.regularization(features)
    loss = model.regularization.loss_terms(features, quantization)["kl"]
    assert loss.item() == pytest.approx(config["cases"]["io"]["kl_loss"], rel=1e-5)
    assert quantization.kl_nats is not None
    assert quantization.kl_nats.mean().item() == pytest.approx(loss.item(), rel=1e-6)


def test_unknown_cases_and_regularizers_are_not_supported(shared: Path) -> None:
    folder = shared / "goldens" / "vidtok" / "kl_causal_488"
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(UnsupportedGolden, match="io_spatial"):
        golden_outputs(config, {}, {}, "io_spatial")
    config["regularizer"]["target"] = "vidtok.modules.regularizers.LFQRegularizer"
    with pytest.raises(UnsupportedGolden, match="LFQRegularizer"):
        golden_outputs(config, {}, {"x": torch.zeros(1, 3, 1, 8, 8)}, "io")
