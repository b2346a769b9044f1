"""Pictures of several sizes through the runner, under the protocol of CDT's image evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from metric_windows import make_batch
from PIL import Image
from skimage.metrics import structural_similarity
from toklab.bench.analysis.accounting import failures_frame
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.chart_points import position_table
from toklab.bench.analysis.results import read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.metrics import weights
from toklab.bench.metrics.lpips import LpipsAlexSpatial
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import load_suite
from torchvision.models import alexnet

SIZES = {"a.png": (41, 64), "b.jpg": (40, 71), "deep/c.jpeg": (56, 39)}
"""Height and width of each picture."""
METRICS = ("psnr-cap100", "ssim-gauss11", "lpips-alex-spatial", "bpp", "latency")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three smooth pictures of different sizes, and one that is too small."""
    folder = tmp_path / "val2017"
    for number, (name, (height, width)) in enumerate({**SIZES, "small.png": (6, 80)}.items()):
        rows, columns = np.mgrid[:height, :width]
        picture = np.stack([rows * 5 + 31 * number, columns * 3, rows + columns], axis=-1) % 256
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def random_alexnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Stands in for the published backbone, which isn't on every machine."""
    state = {name: value for name, value in alexnet().state_dict().items() if name.startswith("features")}
    path = tmp_path / "alexnet.pth"
    torch.save(state, path)
    monkeypatch.setattr(weights, "unavailable", lambda file: None)
    monkeypatch.setattr(weights, "verified", lambda file: path)
    return state


def read_run(folder: Path) -> list[CellResults]:
    with Ledger(folder) as ledger:
        return read_results(ledger)


def run_pictures(out: Path, pictures: Path, progress: Any, worker: Any, tokenizer: str = "average") -> None:
    suite = load_suite("cdt-image").model_copy(
        update={"datasets": (f"images:{pictures}",), "tokenizers": (tokenizer,), "metrics": METRICS}
    )
    with Ledger(out, write=True) as ledger:
        Runner(ledger, RunOptions(), progress, worker=worker).run(plan_cells(suite))


def average(picture: np.ndarray) -> np.ndarray:
    """The cropped picture on [0, 1], and what the fake tokenizer makes of it."""
    height, width = (side // 8 * 8 for side in picture.shape[:2])
    reference = picture[:height, :width].astype(np.float64) / 255
    blocks = reference.reshape(height // 8, 8, width // 8, 8, 3).mean((1, 3))
    return np.stack([reference, blocks.repeat(8, 0).repeat(8, 1)])


def as_video(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(2 * picture - 1).float().permute(2, 0, 1)[None, :, None]


@pytest.mark.slow
def test_every_picture_is_scored_at_its_own_size(
    tmp_path: Path,
    pictures: Path,
    fake_tokenizers: None,
    silent_progress: Any,
    worker: Any,
    random_alexnet: dict[str, torch.Tensor],
) -> None:
    run_pictures(tmp_path / "run", pictures, silent_progress, worker)
    results = read_run(tmp_path / "run")
    found = {row["metric"]: row for row in results_table(results).to_dict("records")}
    pairs = [average(np.asarray(Image.open(pictures / name))) for name in SIZES]
    assert [pair.shape[1:3] for pair in pairs] == [(40, 64), (40, 64), (56, 32)]
    psnr = np.mean([10 * np.log10(1 / np.mean((x - y) ** 2)) for x, y in pairs])
    assert found["psnr-cap100"]["value"] == pytest.approx(psnr, abs=1e-4)
    maps = [
        structural_similarity(
            x, y, channel_axis=2, data_range=1, gaussian_weights=True, use_sample_covariance=False, full=True
        )[1]
        for x, y in pairs
    ]
    ssim = np.mean([found_map[5:-5, 5:-5].mean() for found_map in maps])
    assert found["ssim-gauss11"]["value"] == pytest.approx(ssim, abs=1e-5)
    metric = LpipsAlexSpatial(random_alexnet)
    lpips = np.mean([metric.measure(make_batch(as_video(x), as_video(y)))[0]["lpips"] for x, y in pairs])
    assert found["lpips-alex-spatial"]["value"] == pytest.approx(lpips, rel=1e-4)
    assert found["bpp"]["value"] == pytest.approx(3 * 16 / 64)
    assert found["latency"]["value"] > 0
    assert [found[name]["count"] for name in METRICS[:3]] == [3, 3, 3]
    (failed,) = failures_frame(results).to_dict("records")
    assert failed["source"] == "small.png"
    assert "frames of 6×80 pixels are smaller than size_multiple = 8" in failed["reason"]


@pytest.mark.slow
def test_tokenizers_of_another_frame_rule_see_one_frame_too(
    tmp_path: Path, pictures: Path, silent_progress: Any, worker: Any
) -> None:
    run_pictures(tmp_path / "run", pictures, silent_progress, worker, "vidtok-tiny-kl-4chn")
    (result,) = read_run(tmp_path / "run")
    assert [len(row.frame_ids) for row in result.scored()] == [1, 1, 1]
    assert position_table([result]).empty
