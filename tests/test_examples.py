"""The example package can be installed and does what it says, and the example script reads a run."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from toklab.bench import evaluate, open_run, run_suite
from toklab.bench.planning.suite import Suite
from toklab.datasets.video_writer import write_video
from toklab.reports.registry import FORMATS
from wheels import build_wheel, install_wheel

EXAMPLES = Path(__file__).parents[1] / "examples"

Toklab = Callable[..., str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example package as an installer leaves it."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLES / "plugin", folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    install_wheel(build_wheel(folder / "source", folder), folder / "site")
    return folder / "site"


@pytest.fixture
def toklab(site: Path, tmp_path: Path) -> Toklab:
    """Run the command where the example package is installed, in a folder with three pictures."""
    for shade in range(3):
        path = tmp_path / "pictures" / f"{shade}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((32, 48, 3), 60 + 40 * shade, np.uint8)).save(path)

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("toklab")), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_what_the_package_adds_is_listed(site: Path) -> None:
    code = """
from toklab.bench.inventory.listing import listing
for kind in ("tokenizers", "datasets", "metrics"):
    print(*(record["name"] for record in listing(kind).records if record["name"].startswith("example")))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["example-pooling example-pooling-4", "example-stills", "example-brightness"]


@pytest.mark.slow
def test_what_the_package_adds_is_run(toklab: Toklab, tmp_path: Path) -> None:
    tokenizers = ("-t", "example-pooling", "-t", "example-pooling-4")
    changes = ("--set-protocol", "height=32", "--set-protocol", "width=32")
    toklab(
        "run", *tokenizers, "-d", "example-stills:pictures", "-m", "psnr", "-m", "example-brightness", *changes,
        "--set-protocol", "chunk_size=0", "--out", "run",
    )  # fmt: skip
    toklab("report", "run", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run" / "report" / "table.csv").read_text())))
    found = {(row["label"], row["metric"]): (float(row["value"]), row["count"], row["counted"]) for row in rows}
    # Pictures of one shade come back as they are, from squares of any size.
    assert found == {
        (tokenizer, metric): (value, "3", "frames")
        for tokenizer in ("example-pooling", "example-pooling-4")
        for metric, value in (("psnr", pytest.approx(80, abs=0.1)), ("example-brightness", pytest.approx(0, abs=1e-6)))
    }


@pytest.mark.slow
def test_the_card_keeps_the_contract(toklab: Toklab) -> None:
    """So does the tokenizer, in docs/extending.md."""
    toklab("check-adapter", "example-pooling-4")


def test_the_metric_measures_brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "plugin")
    monkeypatch.setenv("TOKLAB_PLUGINS", "metrics.example-brightness=toklab_example.brightness:BrightnessMetric")
    results = evaluate(
        Brighter(),
        [torch.full((3, 2, 8, 8), value) for value in (-0.5, 0.0)],
        metrics=["example-brightness"],
        progress=False,
        causal=True,
        temporal_compression=1,
        spatial_compression=1,
    )
    (figure,) = results.table().to_dict("records")
    assert figure["value"] == pytest.approx(0.1)
    assert (figure["n"], figure["counted"]) == (4, "frames")


@pytest.mark.slow
def test_the_format_writes_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "plugin")
    monkeypatch.setitem(FORMATS, "jsonl", "toklab_example.json_lines:report_files")
    run = open_run(shutil.copytree(Path(__file__).parent / "data" / "run_format_1", tmp_path / "run"))
    run.report("jsonl", out=tmp_path / "report")
    lines = [json.loads(line) for line in (tmp_path / "report" / "figures.jsonl").read_text().splitlines()]
    expected = run.table().to_dict("records")
    assert [(line["label"], line["metric"]) for line in lines] == [(row["label"], row["metric"]) for row in expected]
    assert [line["value"] for line in lines] == [None if math.isnan(row["value"]) else row["value"] for row in expected]


class Brighter:
    """Makes clips brighter by a tenth of the whole range."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents + 0.2


@pytest.mark.slow
def test_the_script_loads_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, columns = np.mgrid[:64, :64]
    for speed in range(1, 4):
        frames = np.stack([np.stack([(columns + speed * t) * 4 % 256, rows * 4, rows + columns], -1) for t in range(5)])
        write_video(tmp_path / "clips" / f"{speed}.mp4", frames.astype(np.uint8), 30.0)
    suite = Suite.model_validate(
        {
            "name": "demo",
            "datasets": [f"folder:{tmp_path / 'clips'}"],
            "tokenizers": ["bicubic-4chn", "bicubic-16chn"],
            "metrics": ["psnr", "ssim", "bpp", "lpips-vgg"],
            "protocol_changes": {"height": 64, "width": 64},
        }
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    run = run_suite(suite, progress=False)
    runpy.run_path(str(EXAMPLES / "load_a_run.py"))
    plt.close("all")
    printed = capsys.readouterr().out
    assert "bicubic-16chn" in printed
    with (tmp_path / "figures.csv").open(newline="") as file:
        matrix = {row["label"]: row for row in csv.DictReader(file)}
    (psnr,) = run.table().query("label == 'bicubic-4chn' and metric == 'psnr'")["value"]
    assert float(matrix["bicubic-4chn"]["psnr"]) == pytest.approx(psnr)
    with Image.open(tmp_path / "quality_against_bits.png") as picture:
        assert min(picture.size) > 400
    assert set(open_run("runs/demo").table()["metric"]) == {"psnr", "ssim", "bpp", "lpips-vgg"}
