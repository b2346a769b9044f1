"""A run on a GPU that isn't there: passes, pieces of long windows and metrics wait only where they are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_gpu import GPU, FakeGpu
from kept_records import KeptRecords, units_of_one_video
from metric_windows import make_metric
from tiny_video_transformers import tiny_videomae, tiny_vjepa
from toklab.bench.execution.device import Device
from toklab.bench.execution.evaluation import Evaluation
from toklab.bench.execution.progress import SilentProgress
from toklab.bench.execution.reconstructions import ReconstructionKeeper
from toklab.bench.ledger.records import Measurement, ReferenceMeasurement, Row
from toklab.bench.metrics import METRICS
from toklab.bench.metrics.fvd import _Fvd
from toklab.bench.metrics.interface import Metric
from toklab.bench.metrics.lpips import _Lpips
from toklab.datasets.interface import Clip, Window
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from torch import Tensor, nn

PIXELS = 64
MAY_WAIT = {
    "bench.execution.reconstruction_checks:check_untouched": "comes once, after both passes were timed",
    "bench.execution.reconstruction_checks:are_finite": "what isn't finite fails before it is measured",
    "bench.metrics.lpips:_refuse_out_of_range": "values out of range are refused",
    **dict.fromkeys(
        (
            "bench.metrics.bits:KlBitsPerPixel.measure",
            "bench.metrics.codebook:CodebookMetric.measure",
            "bench.metrics.flicker:Flicker.measure",
            "bench.metrics.fvd:_Fvd.measure_video",
            "bench.metrics.lpips:_Lpips.measure",
            "bench.metrics.psnr:_Psnr.measure",
            "bench.metrics.ssim:_Ssim.measure",
            "bench.metrics.transformer_metric:VideoTransformerMetric.measure_video",
        ),
        "the figures go into the ledger, in one copy",
    ),
}
"""Places of a run where the host waits for the GPU, and why."""
OF_CODES = "bench.metrics.codebook:CodebookMetric.measure"
"""That of them which a run of latents doesn't reach."""
EXEMPT = {
    "vmaf": "FFmpeg computes it on the CPU",
}
"""Metrics that can't be tried so, and why."""
MEASURING = [name for name in METRICS if make_metric(name).needs not in ("timing", "model") and name not in EXEMPT]


class FeaturesOfI3d(nn.Module):
    """Stands in for I3D, whose TorchScript archive torch's fake tensors can't enter."""

    def forward(self, x: Tensor, **_: bool) -> Tensor:
        return x.mean((1, 2, 3, 4))[:, None].expand(-1, 400)


def metric_on_gpu(name: str) -> Metric:
    """A metric with random weights on the GPU."""
    metric = make_metric(name)
    if isinstance(metric, _Fvd):
        metric._detector = FeaturesOfI3d()
    elif isinstance(metric, _Lpips):
        metric = type(metric)(backbone(metric.network))
    elif name.startswith("jedi"):
        metric = type(metric)(tiny_vjepa())  # type: ignore[call-arg]
    elif name == "fvd-videomae-g-ssv2":
        metric = type(metric)(tiny_videomae())  # type: ignore[call-arg]
    if not isinstance(metric, _Fvd):
        metric.prepare(GPU)
    return metric


def backbone(network: str) -> dict[str, Tensor]:
    import torchvision.models

    build = {"vgg": torchvision.models.vgg16, "alex": torchvision.models.alexnet}[network]
    with torch.device("meta"):
        shapes = build(weights=None).features.state_dict()
    return {f"features.{name}": torch.zeros(value.shape) for name, value in shapes.items()}


def clips(num_frames: int, count: int = 2) -> Iterator[Clip]:
    """Whole windows, or pieces of 17 frames of one long window."""
    piece = min(num_frames, 17)
    for index in range(count):
        window = Window(index, tuple(range(num_frames)))
        for start in range(0, num_frames, piece):
            video = torch.rand(3, min(piece, num_frames - start), PIXELS, PIXELS) * 2 - 1
            yield Clip("a.mp4", "content", window, count, 25.0, "memory", video, start=start)


def run_on_gpu(
    folder: Path, gpu: FakeGpu, card: str, metrics: list[str], settings: InferenceSettings, num_frames: int
) -> list[Any]:
    tokenizer = build_tokenizer(load_cards()[card], settings)
    kept = KeptRecords()
    with gpu:
        tokenizer.to(GPU)
        evaluation = Evaluation(
            cell_id="cell",
            run_id="run",
            machine="none",
            protocol=load_protocol("vidtok").derive(round_to_uint8=True),
            metrics=[metric_on_gpu(name) for name in metrics],
            sink=kept,
            units=units_of_one_video([Window(index, tuple(range(num_frames))) for index in range(2)], 2),
            device=Device(GPU),
            progress=SilentProgress(),
            keeper=ReconstructionKeeper(folder, "cell", "protocol", frozenset()),
            batch_size=2,
        )
        evaluation.run_stream(tokenizer, clips(num_frames))
    return kept.records


def check_records(records: list[Any], num_metrics: int) -> None:
    rows = [record for record in records if isinstance(record, Row)]
    assert [(row.status, row.reason) for row in rows] == [("scored", "")] * 2
    measured = [record for record in records if isinstance(record, Measurement)]
    assert {(record.measurement_key, record.reason) for record in measured if record.reason} == set()
    assert len(measured) == 2 * num_metrics
    assert all(record.arrays for record in records if isinstance(record, ReferenceMeasurement))


@pytest.mark.slow
def test_a_run_with_every_metric_waits_for_the_gpu_only_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fake tensors have no memory whose address could tell them apart.
    monkeypatch.setattr(torch.UntypedStorage, "data_ptr", lambda storage: storage._cdata)
    gpu = FakeGpu(may_wait=None)
    others = [name for name in MEASURING if make_metric(name).needs != "codes"]
    records = run_on_gpu(tmp_path, gpu, "vidtok-tiny-kl-4chn", others, InferenceSettings(), 17)
    check_records(records, len(others))
    assert set(gpu.waits) == set(MAY_WAIT) - {OF_CODES}


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [pytest.param(17, marks=pytest.mark.thorough), 65])
def test_codes_and_long_windows_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_frames: int) -> None:
    monkeypatch.setattr(torch.UntypedStorage, "data_ptr", lambda storage: storage._cdata)
    gpu = FakeGpu(may_wait=None)
    metrics = ["psnr", *(name for name in MEASURING if make_metric(name).needs == "codes")]
    settings = InferenceSettings(chunk_frames=16)
    records = run_on_gpu(tmp_path, gpu, "vidtok-tiny-fsq-32768", metrics, settings, num_frames)
    check_records(records, len(metrics))
    assert set(gpu.waits) <= set(MAY_WAIT)
    assert OF_CODES in gpu.waits
