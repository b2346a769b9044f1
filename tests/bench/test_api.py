"""The Python API: models in memory, runs as values."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import toklab.bench
import torch
from toklab.bench import EvaluationError, evaluate, open_run, run_suite
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.planning.suite import Suite
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from torch import Tensor, nn

SMALL = load_protocol("vidtok").derive(height=32, width=32)
SPEC = {"causal": False, "temporal_compression": 1, "spatial_compression": 4, "latent_channels": 3}
METRICS = ["psnr", "ssim", "bpp"]


class Pool(nn.Module):
    """A model as somebody trains it: dropout and batch statistics, neither of which may leave a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv3d(3, 3, (1, 4, 4), stride=(1, 4, 4)), nn.BatchNorm3d(3), nn.Dropout(0.5))
        self.decoder = nn.ConvTranspose3d(3, 3, (1, 4, 4), stride=(1, 4, 4))

    def encode(self, video: Tensor) -> Tensor:
        return self.encoder(video)

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents)


class Broken(Pool):
    def decode(self, latents: Tensor) -> Tensor:
        raise RuntimeError("no decoder today")


def clips(number: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, 4, 16, 20, generator=generator) * 2 - 1 for _ in range(number)]


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    optimizer.zero_grad()
    batch = torch.rand(2, 3, 4, 16, 20) * 2 - 1
    loss = (model.decode(model.encode(batch)) - batch).square().mean()  # type: ignore[operator]
    loss.backward()
    optimizer.step()
    return [tensor.detach().clone() for tensor in (*model.parameters(), *model.buffers())]


def records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def rows_of(results: tuple[CellResults, ...]) -> Iterator[tuple[Any, ...]]:
    for result in results:
        for row in result.rows:
            measured = {key: m.arrays for key, m in sorted(result.measurements[row.key].items())}
            yield row.source, row.window, row.content_id, row.frame_ids, row.status, measured


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["vidtok-tiny-kl-4chn", "cdt-tiny-base"])
def test_a_model_in_memory_measures_what_the_command_measures(name: str, tmp_path: Path, video_folder: Path) -> None:
    tokenizer = build_tokenizer(load_cards()[name], InferenceSettings(posterior="sample", seed=3))
    in_memory = evaluate(tokenizer, video_folder, metrics=METRICS, protocol=SMALL, progress=False)
    suite = Suite.model_validate(
        {
            "name": "same",
            "datasets": [f"folder:{video_folder}"],
            "tokenizers": [name],
            "metrics": METRICS,
            "protocol_changes": {"height": 32, "width": 32},
            "settings": {"posterior": "sample", "seed": 3},
        }
    )
    ran = run_suite(suite, out=tmp_path / "run", progress=False)
    assert list(rows_of(in_memory.results)) == list(rows_of(ran.results))
    assert len(list(rows_of(ran.results))) == 6
    columns = ["label", "metric", "protocol_hash", "value", "low", "high", "n"]
    assert in_memory.table()[columns].equals(ran.table()[columns])


@pytest.mark.slow
def test_a_suite_run_on_other_videos_is_not_called_what_it_measured(
    tmp_path: Path, fake_tokenizers: None, video_folder: Path
) -> None:
    suite = Suite(
        name="own",
        title="Everything on the sample",
        datasets=("sample",),
        tokenizers=("average",),
        metrics=("psnr",),
        protocol_changes={"height": 32, "width": 32},
    )
    run = run_suite(suite, datasets=[f"folder:{video_folder}"], out=tmp_path / "run", progress=False)
    assert run.name == "Suite own with other datasets"


def test_a_training_goes_on_as_if_nothing_had_been_measured() -> None:
    def train(*, measured: bool) -> list[list[Tensor]]:
        broken = Broken()
        torch.manual_seed(0)
        model = Pool()
        optimizer = torch.optim.Adam(model.parameters())
        states = [train_step(model, optimizer)]
        if measured:
            evaluate(model, clips(), metrics=METRICS, progress=False, **SPEC)
            with pytest.warns(UserWarning, match="3 windows failed"):
                evaluate(broken, clips(), metrics=METRICS, progress=False, **SPEC)
        return [*states, train_step(model, optimizer)]

    for without, with_evaluation in zip(train(measured=False), train(measured=True), strict=True):
        for one, other in zip(without, with_evaluation, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_everything_about_a_model_is_as_before() -> None:
    model, failing = Pool(), OutOfStock()
    model.decoder.requires_grad_(False)
    model.encoder[1].eval()
    modes = [module.training for module in model.modules()]
    gradients = [parameter.requires_grad for parameter in model.parameters()]
    places = [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())]
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = (random.random(), np.random.rand(), torch.rand(1))
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        evaluate(model, clips(), metrics=["psnr", "macs"], progress=False, **SPEC)
        with pytest.raises(EvaluationError, match="out of stock"):
            evaluate(failing, clips(), metrics=["psnr"], progress=False, **SPEC)
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == gradients
    assert [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())] == places


class OutOfStock(Pool):
    """Fails where it is put into evaluation mode."""

    def train(self, mode: bool = True) -> OutOfStock:
        if not mode:
            raise RuntimeError("out of stock")
        return super().train(mode)


class SoldOut(OutOfStock):
    """Fails at the same place, for a reason of its own."""

    def train(self, mode: bool = True) -> SoldOut:
        if not mode:
            raise RuntimeError("sold out")
        nn.Module.train(self, mode)
        return self


def test_the_error_is_that_of_the_model_even_where_others_have_failed_before(tmp_path: Path) -> None:
    for model, reason in ((OutOfStock(), "OutOfStock.*out of stock"), (SoldOut(), "SoldOut.*sold out")):
        with pytest.raises(EvaluationError, match=reason):
            evaluate(model, clips(1), metrics=["psnr"], out=tmp_path / "run", progress=False, **SPEC)


def test_clips_in_memory_have_a_protocol_of_their_own() -> None:
    as_floats = clips()
    as_bytes = [((clip + 1) * 127.5).round().to(torch.uint8) for clip in as_floats]
    back = [(clip.float() / 255 - 0.5) / 0.5 for clip in as_bytes]
    model = Pool()
    runs = [evaluate(model, videos, metrics=["psnr"], progress=False, **SPEC) for videos in (iter(as_bytes), back)]
    values = [run.windows()["value"].tolist() for run in runs]
    assert values[0] == values[1]
    assert set(runs[0].table()["protocol"]) == {"tensors"}
    assert runs[0].table()["protocol_hash"].tolist() != [load_protocol("vidtok").hash]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(1, 3, 4, 8, 8), "one by one"),
        (torch.zeros(4, 3, 8, 8), r"shape \(4, 3, 8, 8\)"),
        (torch.full((3, 4, 8, 8), 255.0), r"values from 255 to 255"),
        (torch.full((3, 4, 8, 8), float("nan")), "NaN"),
        (torch.zeros(3, 4, 8, 8, dtype=torch.int64), "give uint8"),
    ],
)
def test_tensors_that_are_no_clips_are_refused(tensor: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(Pool(), [tensor], metrics=["psnr"], progress=False, **SPEC)


@pytest.mark.parametrize(
    ("model", "spec", "message"),
    [
        (object(), {}, "no encode and decode"),
        (Pool(), {}, "causal=…, temporal_compression=…, spatial_compression=…"),
        (Pool(), {**SPEC, "colour": "red"}, "a spec has no colour"),
    ],
)
def test_models_that_say_too_little_are_refused(model: object, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(model, clips(), metrics=["psnr"], progress=False, **spec)


def test_paths_among_clips_are_refused(video_folder: Path) -> None:
    mixed: list[Any] = [*clips(), video_folder / "a.mp4"]
    with pytest.raises(ValueError, match=r"not both; .*a\.mp4 stands among clips"):
        evaluate(Pool(), mixed, metrics=["psnr"], progress=False, **SPEC)


def test_arguments_that_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a path that exists nor a dataset"):
        evaluate(Pool(), tmp_path / "absent", metrics=["psnr"], progress=False, **SPEC)
    with pytest.raises(ValueError, match="did you mean psnr"):
        evaluate(Pool(), clips(), metrics=["psnrr"], progress=False, **SPEC)
    with pytest.raises(ValueError, match="leave out protocol"):
        evaluate(Pool(), clips(), metrics=["psnr"], protocol="cdt", progress=False, **SPEC)


@pytest.mark.slow
def test_nothing_stays_on_disk_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    run = evaluate(Pool(), clips(), metrics=["psnr"], progress=False, **SPEC)
    assert list((tmp_path / "temporary").iterdir()) == []
    with pytest.raises(ValueError, match="say where"):
        run.report("md")
    assert (tmp_path / "report" / "table.md") in run.report("md", out=tmp_path / "report")


def test_what_is_kept_is_gone_on_with(tmp_path: Path) -> None:
    model = Pool()
    evaluate(model, clips(2), metrics=["psnr"], out=tmp_path / "run", progress=False, **SPEC)
    evaluate(model, clips(3), metrics=["psnr"], out=tmp_path / "run", progress=False, **SPEC)
    run = open_run(tmp_path / "run")
    (result,) = run.results
    assert [row.source for row in result.rows] == ["000000", "000001", "000002"]
    assert len({row.run_id for row in result.rows}) == 2


@pytest.mark.slow
def test_files_by_name(video_folder: Path) -> None:
    names = ["c.mp4", "a.mp4"]
    run = evaluate(
        Pool(), [video_folder / name for name in names], metrics=["psnr"], protocol=SMALL, progress=False, **SPEC
    )
    assert sorted(set(run.windows()["source"])) == ["a.mp4", "c.mp4"]


def test_codes(video_folder: Path) -> None:
    class Signs(Pool):
        def encode(self, video: Tensor) -> Tensor:
            return (super().encode(video)[:, 0] > 0).long()

        def decode(self, latents: Tensor) -> Tensor:
            return super().decode(latents.unsqueeze(1).expand(-1, 3, -1, -1, -1).float())

    metrics = ["bpp", "codebook-utilization"]
    run = evaluate(Signs(), clips(), metrics=metrics, progress=False, **SPEC, codebook_size=2)
    values = {line["metric"]: line["value"] for line in records(run.table())}
    assert values["bpp"] == pytest.approx(1 / 16)
    assert values["codebook-utilization"] == 100


@pytest.mark.slow
def test_the_tables_of_a_run(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    run_suite(tmp_path / "run", ("average", "signs", "nan"), ("psnr", "bpp", "codebook-utilization", "params"))
    run = open_run(tmp_path / "run")
    windows = records(run.windows())
    figures = {(line["label"], line["metric"]): line for line in records(run.table())}
    average = figures["average", "psnr"]
    psnr = [line for line in windows if (line["label"], line["metric"]) == ("average", "psnr")]
    assert len(psnr) == 6
    assert average["n"] == sum(line["num_frames"] for line in psnr)
    assert average["value"] * average["n"] == pytest.approx(sum(line["value"] * line["num_frames"] for line in psnr))
    failed = [line for line in windows if line["label"] == "nan"]
    assert {line["status"] for line in failed} == {"failed"}
    assert all(math.isnan(line["value"]) and "NaN" in line["reason"] for line in failed)
    assert len(run.failures()) == 6
    (compared,) = records(run.compare("average", "signs", metrics=["psnr"]))
    assert compared["difference"] == pytest.approx(average["value"] - figures["signs", "psnr"]["value"])
    assert "PSNR" in str(run)


def test_what_the_package_hands_on() -> None:
    assert set(toklab.bench.__all__) <= set(dir(toklab.bench))
    assert toklab.bench.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'evaluated'"):
        toklab.bench.evaluated  # noqa: B018
