"""Lightning Fabric as trainings use it: one device, or those that ``torchrun`` started processes for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .errors import TrainingError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def launch_fabric(device: str, precision: str) -> Fabric:
    """Fabric on ``cpu``, ``cuda`` or ``cuda:1`` with a precision of :class:`~.recipe.Optimization`.

    Raises:
        TrainingError: if Lightning Fabric isn't installed.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError("training needs Lightning Fabric: pip install 'toklab[train]'") from error
    kind, _, index = device.partition(":")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=kind,
        devices=[int(index)] if index else local,
        num_nodes=max(1, processes // local),
        # Networks may have layers that a recipe leaves unused, and what a later term trains has no gradient before.
        strategy="ddp_find_unused_parameters_true" if processes > 1 else "auto",
        plugins=[] if precision == "32-true" else [_mixed_precision(kind, precision)],
    )
    fabric.launch()
    return fabric


def _mixed_precision(kind: str, precision: Any) -> Any:
    """Fabric's mixed precision, but for two things.

    Clips stay in float32: in bfloat16 they would have 8 bits, and be another target than the user's. Losses are scaled
    by :class:`~.descent.Descent`, as generator and discriminator need a scaler each. And on CPUs, Fabric's own would be
    bfloat16 in place of float16.
    """
    from lightning_fabric.plugins import MixedPrecision

    class WholeClips(MixedPrecision):
        def convert_input(self, data: Any) -> Any:
            return data

    plugin = WholeClips(precision, kind)
    plugin.scaler = None
    return plugin
