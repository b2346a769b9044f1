"""Trainings from their first step to their last: killed, resumed, refused, logged, and their best weights kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_trainings import Killed, TinyTraining, build_objective, kill_at, patch_terms
from toklab.tokenizers.training import loop
from toklab.tokenizers.training.descent import learning_rate
from toklab.tokenizers.training.errors import TrainingError
from toklab.tokenizers.training.fabric import launch_fabric
from toklab.tokenizers.training.loop import BestWeights, Progress, TrainingResult
from toklab.tokenizers.training.recipe import Optimization

PLAN = {"steps": 6, "checkpoint_every": 2, "validate_every": 3, "warmup_steps": 2, "schedule": "cosine"}
WITHOUT_ADVERSARY = {"adversarial": None}


def training_in(folder: Path, family: str = "vidtok-kl", **plan: Any) -> TinyTraining:
    return TinyTraining(folder, family, PLAN | plan, WITHOUT_ADVERSARY, measures=True)


@pytest.fixture(autouse=True, scope="module")
def _needs_fabric() -> None:
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingResult]:
    """The folder and the result of a training that has ended."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, training_in(folder).run()


@pytest.mark.slow
@pytest.mark.parametrize(("family", "killed_at"), [("vidtok-kl", 1), ("vidtok-vq-revived", 3), ("vidtok-kl", 4)])
def test_a_killed_and_resumed_training_gives_what_an_uninterrupted_one_gives(
    tmp_path: Path, family: str, killed_at: int
) -> None:
    whole, parts = (training_in(tmp_path / name, family) for name in ("whole", "parts"))
    expected = whole.run()
    with pytest.raises(Killed):
        parts.run(on_progress=kill_at(killed_at))
    resumed = parts.run(resume=True)
    assert resumed.weights.keys() == expected.weights.keys()
    for name, value in expected.weights.items():
        assert torch.equal(resumed.weights[name], value), name
    assert resumed.validation == expected.validation
    # Nothing is logged twice, the validation before the first step included.
    assert [row["step"] for row in parts.logged()] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in parts.logged("validation")] == [0, 3, 6]


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path: Path) -> None:
    plan = {"steps": 20, "learning_rate": 3e-3, "warmup_steps": 2}
    training = TinyTraining(tmp_path, "vidtok-ae", plan, WITHOUT_ADVERSARY, repeats=True)
    training.run()
    rows = training.logged()
    losses = [row["l1"] for row in rows]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert {"total", "l1", "square", "learning_rate", "gradient_norm"} <= rows[0].keys()


@pytest.mark.slow
def test_a_finished_training_resumes_to_its_result(finished) -> None:
    folder, result = finished
    again = training_in(folder).run(resume=True)
    assert all(torch.equal(again.weights[name], value) for name, value in result.weights.items())
    assert again.validation == result.validation


@pytest.mark.slow
def test_a_checkpoint_is_not_overwritten_nor_taken_for_another_recipes(finished) -> None:
    folder, _ = finished
    with pytest.raises(TrainingError, match="--resume"):
        training_in(folder).run()
    with pytest.raises(TrainingError, match="another recipe"):
        training_in(folder, learning_rate=1e-4).run(resume=True)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named(finished, tmp_path: Path) -> None:
    shutil.copytree(finished[0], tmp_path / "copy")
    path = tmp_path / "copy" / "training.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"training\.pt can't be read"):
        training_in(tmp_path / "copy").run(resume=True)
    torch.save([1, 2], path)
    with pytest.raises(TrainingError, match=r"training\.pt is of another version of toklab; remove it"):
        training_in(tmp_path / "copy").run(resume=True)


def test_a_log_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("loss\n0.5\n")
    with pytest.raises(TrainingError, match=r"training\.csv: can't be read as the log of a training .*; remove it"):
        training_in(tmp_path).run()


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="isn't finite"):
        training_in(tmp_path, steps=40, learning_rate=1e12, clip_norm=1e12, warmup_steps=0).run()


def test_learning_rate_rises_and_falls() -> None:
    plan = Optimization(steps=100, warmup_steps=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(plan, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == max(rates[9:12])
    assert rates[50] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert learning_rate(Optimization(schedule="constant", warmup_steps=0, learning_rate=0.3), 7) == 0.3


@pytest.mark.slow
def test_weights_of_many_inputs_learn_more_slowly(tmp_path: Path) -> None:
    training = training_in(tmp_path, steps=1, learning_rate=1e-3, warmup_steps=0, full_rate_fan_in=48)
    before = build_objective("vidtok-kl", patch_terms()).state_dict()
    training.run()
    after = training.state()["objective"]
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
def test_the_best_weights_are_kept_once_each_and_a_resumed_training_knows_them(tmp_path: Path) -> None:
    def kept(training: TinyTraining, killed_at: int = 0) -> list[TrainingResult]:
        found: list[TrainingResult] = []
        best = BestWeights("psnr", True, found.append)
        if killed_at:
            with pytest.raises(Killed):
                training.run(best=best, on_progress=kill_at(killed_at))
        training.run(best=best, resume=bool(killed_at))
        assert [row["step"] for row in training.logged("validation")] == list(range(7))
        return found

    whole = kept(training_in(tmp_path / "whole", validate_every=1))
    figures = [result.validation["psnr"] for result in whole]
    assert whole[0].steps == 0
    assert figures == sorted(set(figures))
    parts = kept(training_in(tmp_path / "parts", validate_every=1), killed_at=5)
    # The checkpoint is of step 4, so step 5 is done and kept again, and nothing that is worse than the best of before.
    assert parts[-1].steps == whole[-1].steps
    assert all(torch.equal(parts[-1].weights[name], value) for name, value in whole[-1].weights.items())
    assert {result.steps for result in parts} == {result.steps for result in whole}


def test_the_log_has_the_times_of_data_and_steps(tmp_path: Path) -> None:
    seen: list[Progress] = []
    training = training_in(tmp_path, steps=3)
    training.run(on_progress=seen.append)
    assert all(row["step_seconds"] > 0 and row["data_seconds"] >= 0 for row in training.logged()[1:])
    assert [progress.num_timed for progress in seen] == [0, 1, 2]
    assert seen[-1].step_seconds > 0


@pytest.mark.slow
def test_all_processes_but_the_first_take_its_figures_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    result = training_in(tmp_path, steps=2).run(best=BestWeights("psnr", True, kept.append))
    assert result.validation == {"psnr": 7.0}
    assert kept == []
    assert list(tmp_path.iterdir()) == []
