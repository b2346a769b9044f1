"""How weights move: the optimizer, its learning rate, clipping, and the scale of float16's losses."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .errors import TrainingError
from .recipe import Optimization


class Descent:
    """Some parameters, and what moves them.

    Args:
        parameters: to optimise, on their device.
        plan: names optimizer, betas, weight decay and precision.
        clip_norm: gradients are scaled down to this norm; 0 leaves them.
        full_rate_fan_in: see :class:`Optimization`.
    """

    def __init__(
        self, parameters: list[nn.Parameter], plan: Optimization, *, clip_norm: float, full_rate_fan_in: int = 0
    ):
        self.parameters = parameters
        self.clip_norm = clip_norm
        self.optimizer = _optimizer(parameters, plan, full_rate_fan_in)
        self.scaler = torch.amp.GradScaler(parameters[0].device.type, enabled=plan.precision == "16-mixed")

    def forget(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def scaled(self, loss: Tensor) -> Tensor:
        """What ``backward`` is called on in place of the loss."""
        return self.scaler.scale(loss)

    def step(self, rate: float) -> dict[str, float]:
        """Move the parameters at a learning rate; ``gradient_norm`` before clipping, and float16's ``loss_scale``.

        Where a gradient overflowed float16, nothing moves but the scale.

        Raises:
            TrainingError: if a gradient isn't finite otherwise; then nothing has moved.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm or math.inf)
        if not (self.scaler.is_enabled() or norm.isfinite()):
            raise TrainingError(f"the norm of the gradients isn't finite ({norm:g})")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        scale = {"loss_scale": self.scaler.get_scale()} if self.scaler.is_enabled() else {}
        return {"gradient_norm": float(norm), **scale}


def learning_rate(plan: Optimization, step: int) -> float:
    """The rate of optimizer step ``step``, from 0: linear warm-up, then the half cosine or a constant."""
    warmup = min(1.0, (step + 1) / plan.warmup_steps) if plan.warmup_steps else 1.0
    if plan.schedule == "constant":
        return plan.learning_rate * warmup
    span = plan.learning_rate - plan.final_learning_rate
    return warmup * (plan.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))


def _optimizer(parameters: list[nn.Parameter], plan: Optimization, full_rate_fan_in: int) -> torch.optim.Optimizer:
    """The plan's optimizer; each group's ``share`` of the learning rate follows from ``full_rate_fan_in``."""
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[plan.optimizer]
    by_share: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        share = min(1.0, full_rate_fan_in / fan_in) if full_rate_fan_in else 1.0
        by_share.setdefault(share, []).append(parameter)
    groups = [{"params": group, "share": share} for share, group in by_share.items()]
    return kind(groups, betas=plan.betas, weight_decay=plan.weight_decay)
