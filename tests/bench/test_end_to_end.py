"""The command against the official evaluation script, on its own videos and weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from safetensors.torch import load_file
from toklab.bench.analysis.results import read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.cli.main import app
from toklab.bench.ledger.ledger import Ledger
from toklab.datasets.video_writer import write_video
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.golden import golden_parameters
from typer.testing import CliRunner

RUNS = {
    "kl_causal_488": ("vidtok", []),
    "fsq_causal_488": ("vidtok", []),
    "kl_causal_488_v1_1_long": ("vidtok-long", ["chunk_frames=16", "chunk_mode=official"]),
}
"""Golden → protocol and inference settings."""


def write_card(path: Path, model: str, golden: Path) -> None:
    """A card of a golden's network, with its weights beside the golden."""
    config = json.loads((golden / "config.json").read_text())
    network = VidTokConfig.from_parameters(golden_parameters(config))
    lines = [
        f'name = "{model}"',
        'title = "VidTok"',
        'family = "vidtok"',
        'adapter = ".vidtok.adapter:VidTokTokenizer"',
        f'regularizer = "{network.regularizer.kind}"',
        "causal = true",
        f"temporal_compression = {network.time_downsample_factor}",
        f"spatial_compression = {network.spatial_factor}",
        f"latent_channels = {network.z_channels}",
        f"frame_rule = {{ multiple = {network.time_downsample_factor}, offset = 1 }}",
        f"size_multiple = {network.spatial_factor}",
    ]
    parameters = {**config["params"], "variant": network.variant}
    regularizer = [f'kind = "{network.regularizer.kind}"']
    if levels := network.regularizer.levels:
        lines += [f"codebook_size = {math.prod(levels)}", f"codebook_levels = {list(levels)}"]
        regularizer.append(f"levels = {list(levels)}")
    lines += ["[parameters]", *(f"{name} = {json.dumps(value)}" for name, value in parameters.items())]
    lines += ["[parameters.regularizer]", *regularizer]
    lines += ["[checkpoint]", f'path = "{golden / "state.safetensors"}"']
    path.write_text("\n".join(lines))


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.parametrize("name", RUNS)
def test_a_run_gives_the_figures_of_the_official_script(name: str, shared: Path, tmp_path: Path) -> None:
    golden = shared / "goldens" / "protocol"
    expected = json.loads((golden / f"vidtok_e2e_{name}.json").read_text())
    videos = load_file(golden / "vidtok_e2e_videos.safetensors")
    for file, facts in expected["videos"].items():
        assert len(videos[f"{file}.u8_thwc"]) == facts["frames"]
        write_video(tmp_path / "videos" / file, videos[f"{file}.u8_thwc"].numpy(), facts["fps"])
    (tmp_path / "cards").mkdir()
    write_card(tmp_path / "cards" / "golden.toml", "golden", shared / "goldens" / "vidtok" / expected["model"])

    protocol, settings = RUNS[name]
    height, width = expected["input_size"]
    arguments = ["run", "-t", "golden", "-d", f"folder:{tmp_path / 'videos'}", "-p", protocol]
    arguments += ["--set-protocol", f"height={height}", "--set-protocol", f"width={width}"]
    arguments += ["--set-protocol", f"chunk_size={expected['chunk_size']}"]
    arguments += [part for setting in ("posterior=mode", *settings) for part in ("--set", setting)]
    arguments += ["-m", "psnr", "-m", "ssim", "--cards", str(tmp_path / "cards")]
    arguments += ["--out", str(tmp_path / "run"), "--device", "cpu"]
    finished = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert finished.exit_code == 0, finished.output

    with Ledger(tmp_path / "run") as ledger:
        table = results_table(read_results(ledger)).set_index("metric")
    assert table.loc["psnr", "count"] == sum(split["n"] for split in expected["per_split"])
    assert table.loc["psnr", "value"] == pytest.approx(expected["psnr"], abs=1e-3)
    assert table.loc["ssim", "value"] == pytest.approx(expected["ssim"], abs=1e-3)
    assert "golden" + (f" ({','.join(settings)})" if settings else "") == table.loc["psnr", "label"]
