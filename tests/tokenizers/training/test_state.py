"""Accumulated batches, exact resuming of all that a training holds, more steps, and compiled networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_trainings import Killed, TinyTraining, kill_at
from toklab.tokenizers.training.errors import TrainingError


@pytest.fixture(autouse=True)
def _needs_fabric() -> None:
    pytest.importorskip("lightning_fabric", reason="training: pip install 'toklab[train]'")


def assert_equal(left: Any, right: Any, where: str = "state") -> None:
    """Nested values with tensors are equal to the bit."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            if key != "seconds":
                assert_equal(left[key], right[key], f"{where}.{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_equal(one, other, f"{where}[{index}]")
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    else:
        assert left == right, where


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize(("precision", "form"), [("16-mixed", "mean"), ("bf16-mixed", "likelihood")])
def test_all_that_a_training_holds_survives_a_kill(tmp_path: Path, precision: str, form: str) -> None:
    """Discriminator and its optimizer, LeCAM, learned variance, float16's scales, averages, half a step's batches."""
    plan = {"steps": 4, "accumulated_batches": 2, "checkpoint_every": 2, "precision": precision}
    options: dict[str, Any] = {"optimization": plan, "parameters": {"reconstruction": form}}
    options["adversary"] = {"start": 1}
    whole = TinyTraining(tmp_path / "whole", "vidtok-fsq", **options)
    whole.run()
    parts = TinyTraining(tmp_path / "parts", "vidtok-fsq", **options)
    with pytest.raises(Killed):
        parts.run(on_progress=kill_at(3))
    assert parts.state()["step"] == 2
    parts.run(resume=True)
    assert_equal(parts.state(), whole.state())
    state = whole.state()
    assert state["adversary"]["mean_real"].item() != 0
    if precision == "16-mixed":
        # The entropy's gradients overflow at the first scale, so the one that is kept isn't the one of a new scaler.
        assert state["scaler"]["scale"] < 65536.0
    else:
        assert state["objective"]["reconstruction_loss.log_variance"].item() != 0
    assert [row["step"] for row in parts.logged()] == [1, 2, 3, 4]
    assert ["adversarial" in row for row in parts.logged()] == [False, True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["vidtok-ae", pytest.param("vidtok-vq-ema", marks=pytest.mark.thorough)])
def test_accumulated_batches_are_one_batch(tmp_path: Path, family: str) -> None:
    plan = {"learning_rate": 1e-5}
    # A batch norm's statistics are those of a batch, so the discriminator has none here.
    adversary = {"discriminator": "small-3d", "adaptive": False}
    parts = TinyTraining(tmp_path / "parts", family, {**plan, "accumulated_batches": 2}, adversary=adversary)
    whole = TinyTraining(tmp_path / "whole", family, plan, adversary=adversary, joined="batches")
    parts.run()
    whole.run()
    for ours, theirs in zip(parts.logged(), whole.logged(), strict=True):
        # The averages of LeCAM move in two half steps instead of one.
        compared = [name for name in theirs if name != "lecam" and not name.endswith("seconds")]
        assert [ours[name] for name in compared] == pytest.approx([theirs[name] for name in compared], rel=2e-5)
        assert ours.keys() == theirs.keys()
    found, expected = (training.state()["objective"] for training in (parts, whole))
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=3e-5)


@pytest.mark.slow
def test_steps_may_be_raised_on_resume_but_not_lowered(tmp_path: Path) -> None:
    def training(folder: str, steps: int, **plan: Any) -> TinyTraining:
        return TinyTraining(tmp_path / folder, "vidtok-ae", {"steps": steps, **plan})

    whole = training("whole", 3)
    whole.run()
    training("raised", 1).run()
    training("raised", 3).run(resume=True)
    assert_equal(training("raised", 3).state(), whole.state())
    with pytest.raises(TrainingError, match="training of 3 steps; give at least as many, not 2"):
        training("raised", 2).run(resume=True)
    with pytest.raises(TrainingError, match="another recipe"):
        training("raised", 4, learning_rate=0.5).run(resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    ["progressive-4x", *(pytest.param(family, marks=pytest.mark.thorough) for family in ("vidtok-kl", "cdt-small"))],
)
def test_networks_are_compiled_if_asked(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []

    def compile_(function: Callable[..., object]) -> Callable[..., object]:
        def noted(*args: object, **kwargs: object) -> object:
            called.append(function)
            return function(*args, **kwargs)

        return noted

    monkeypatch.setattr(torch, "compile", compile_)
    plain, compiled = (
        TinyTraining(tmp_path / str(flag), family, {"steps": 1, "compile": flag}) for flag in (False, True)
    )
    plain.run()
    assert not called
    compiled.run()
    assert called
    assert_equal(compiled.state(), plain.state())


@pytest.mark.thorough
@pytest.mark.slow
def test_a_compiled_network_trains_as_a_plain_one(tmp_path: Path) -> None:
    trainings = [TinyTraining(tmp_path / str(flag), "vidtok-ae", {"compile": flag}) for flag in (False, True)]
    for training in trainings:
        training.run()
    for plain, compiled in zip(*(training.logged() for training in trainings), strict=True):
        assert compiled["l1"] == pytest.approx(plain["l1"], rel=1e-3)
        assert compiled["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=1e-2)


def test_gradients_that_are_not_finite_move_nothing(tmp_path: Path) -> None:
    def square_root_of_zero(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (0 * x).sqrt().mean()

    training = TinyTraining(
        tmp_path, "vidtok-ae", {"steps": 1}, {"perceptual": square_root_of_zero, "adversarial": None}
    )
    with pytest.raises(TrainingError, match="norm of the gradients isn't finite"):
        training.run()
    assert not (tmp_path / "training.pt").exists()
