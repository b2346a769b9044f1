from __future__ import annotations

import csv
from typing import Any

import pytest
import torch
from toklab.tokenizers.training import loop
from toklab.tokenizers.training.descent import learning_rate
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.fabric import launch_fabric
from toklab.tokenizers.training.loop import BestWeights, Progress, TrainingResult
from toklab.tokenizers.training.recipe import Optimization


class Killed(BaseException):
    """Stands for a signal: nothing may catch it."""


def kill_at(step: int) -> Any:
    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return on_progress


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"regularizer": {"kind": "kl"}},
        {"regularizer": {"kind": "kl"}, "adversarial": True},
        {
            "regularizer": {
                "kind": "vq",
                "codebook_size": 8,
                "dim": 4,
                "codebook_update": "ema",
                "revival_threshold": 0.5,
            }
        },
    ],
    ids=["kl", "adversarial", "vq"],
)
@pytest.mark.parametrize("killed_at", [1, 3, 4])
def test_a_killed_and_resumed_training_gives_the_weights_of_an_uninterrupted_one(
    tiny_training, options: dict[str, Any], killed_at: int
) -> None:
    whole = tiny_training(**options).run(name="whole")
    with pytest.raises(Killed):
        tiny_training(**options).run(name="parts", on_progress=kill_at(killed_at))
    resumed = tiny_training(**options).run(name="parts", resume=True)
    assert resumed.weights.keys() == whole.weights.keys()
    for name, value in whole.weights.items():
        assert torch.equal(resumed.weights[name], value), name
    assert resumed.validation == whole.validation


@pytest.mark.slow
def test_training_lowers_the_loss_and_logs_every_step_once(tiny_training) -> None:
    generator = torch.Generator().manual_seed(0)
    clip = torch.nn.functional.interpolate(torch.rand(1, 3, 2, 2, 2, generator=generator) - 0.5, (5, 16, 16))
    training = tiny_training(
        {"kind": "ae"},
        steps=40,
        optimization={"learning_rate": 3e-3, "checkpoint_every": 5},
        clips=lambda step, process: clip,
    )
    with pytest.raises(Killed):
        training.run(on_progress=kill_at(7))
    training.run(resume=True)
    with (training.folder / "run" / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 41))
    losses = [float(row["l1"]) for row in rows]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert {"total", "l1", "ssim", "learning_rate", "gradient_norm"} <= rows[0].keys()


def test_a_training_killed_before_its_first_checkpoint_logs_nothing_twice(tiny_training) -> None:
    training = tiny_training(steps=2, optimization={"checkpoint_every": 2})
    for _ in range(2):
        with pytest.raises(Killed):
            training.run(on_progress=kill_at(1))
    training.run(resume=True)
    for name, steps in (("training", ["1", "2"]), ("validation", ["0", "2"])):
        with (training.folder / "run" / f"{name}.csv").open() as file:
            assert [row["step"] for row in csv.DictReader(file)] == steps


def test_a_log_that_is_none_is_named(tiny_training) -> None:
    training = tiny_training()
    path = training.folder / "run" / "training.csv"
    path.parent.mkdir()
    path.write_text("loss\n0.5\n")
    with pytest.raises(TrainingError, match=r"training\.csv: can't be read as the log of a training .*; remove it"):
        training.run()


@pytest.mark.slow
def test_a_finished_training_resumes_to_its_result(tiny_training) -> None:
    first = tiny_training().run()
    again = tiny_training().run(resume=True)
    assert all(torch.equal(again.weights[name], value) for name, value in first.weights.items())
    assert again.validation == first.validation


@pytest.mark.slow
def test_a_checkpoint_is_not_overwritten_nor_taken_for_another_recipes(tiny_training) -> None:
    tiny_training().run()
    with pytest.raises(TrainingError, match="--resume"):
        tiny_training().run()
    with pytest.raises(TrainingError, match="another recipe"):
        tiny_training(optimization={"learning_rate": 1e-4}).run(resume=True)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named(tiny_training) -> None:
    training = tiny_training()
    training.run()
    path = training.folder / "run" / "training.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"training\.pt can't be read"):
        training.run(resume=True)


def test_a_loss_that_is_not_finite_stops_the_training(tiny_training) -> None:
    with pytest.raises(TrainingError, match="isn't finite"):
        tiny_training(steps=40, optimization={"learning_rate": 1e12, "clip_norm": 1e12, "warmup_steps": 0}).run()


def test_learning_rate_rises_and_falls() -> None:
    plan = Optimization(steps=100, warmup_steps=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(plan, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == max(rates[9:12])
    assert rates[50] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert learning_rate(Optimization(schedule="constant", warmup_steps=0, learning_rate=0.3), 7) == 0.3


@pytest.mark.slow
def test_weights_of_many_inputs_learn_more_slowly(tiny_training, tmp_path) -> None:
    training = tiny_training(steps=1, optimization={"learning_rate": 1e-3, "warmup_steps": 0, "full_rate_fan_in": 48})
    before = training.objective().state_dict()
    training.run()
    [path] = tmp_path.rglob("training.pt")
    after = torch.load(path, weights_only=True)["state"]["objective"]
    shares = set()
    for name, value in before.items():
        if value.is_floating_point() and (change := (after[name] - value).abs().max()) > 0:
            share = min(1.0, 48 / value[0].numel()) if value.ndim > 1 else 1.0
            # Adam's first step is the rate, whatever the gradient, unless that is hardly more than rounding.
            assert change < 1.001e-3 * share, name
            if change > 0.98e-3 * share:
                shares.add(round(share, 3))
    assert len(shares) > 2


@pytest.mark.slow
def test_the_best_weights_are_kept_once_each_and_a_resumed_training_knows_them(tiny_training) -> None:
    def kept(name: str, **options: Any) -> list[TrainingResult]:
        found: list[TrainingResult] = []
        training = tiny_training(optimization={"validate_every": 1}, best=BestWeights("psnr", True, found.append))
        if options:
            with pytest.raises(Killed):
                training.run(name=name, on_progress=kill_at(options["killed_at"]))
        final = training.run(name=name, resume=bool(options))
        with (training.folder / name / "validation.csv").open() as file:
            figures = [float(row["psnr"]) for row in csv.DictReader(file)]
        assert len(figures) == final.steps + 1
        return found

    whole = kept("whole")
    figures = [result.validation["psnr"] for result in whole]
    assert whole[0].steps == 0
    assert figures == sorted(set(figures))
    parts = kept("parts", killed_at=5)
    # The checkpoint is of step 4, so step 5 is done and kept again, and nothing that is worse than the best of before.
    assert parts[-1].steps == whole[-1].steps
    assert all(torch.equal(parts[-1].weights[name], value) for name, value in whole[-1].weights.items())
    assert {result.steps for result in parts} == {result.steps for result in whole}


def test_the_log_has_the_times_of_data_and_steps(tiny_training) -> None:
    seen: list[Progress] = []
    training = tiny_training(steps=3)
    training.run(on_progress=seen.append)
    with (training.folder / "run" / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["step_seconds"]) > 0 and float(row["data_seconds"]) >= 0 for row in rows[1:])
    assert [progress.num_timed for progress in seen] == [0, 1, 2]
    assert seen[-1].step_seconds > 0


@pytest.mark.slow
def test_all_processes_but_the_first_take_its_figures_and_write_nothing(
    tiny_training, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherProcess:
        """Fabric as a process sees it that isn't the first."""

        is_global_zero = False

        def __init__(self, *arguments: Any):
            self._fabric = launch_fabric(*arguments)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._fabric, name)

        def broadcast(self, own: Any) -> Any:
            assert own == {}, "only the first process measures"
            return {"psnr": 7.0}

    monkeypatch.setattr(loop, "launch_fabric", OtherProcess)
    kept: list[TrainingResult] = []
    training = tiny_training(best=BestWeights("psnr", True, kept.append))
    assert training.run().validation == {"psnr": 7.0}
    assert kept == []
    assert list((training.folder / "run").iterdir()) == []
