"""Learned perceptual image patch similarity, version 0.1, by the ``lpips`` package.

Zhang, Isola, Efros, Shechtman and Wang, *The unreasonable effectiveness of deep features as a perceptual metric*, CVPR
2018. Nothing is downloaded: backbones come from :mod:`toklab.bench.metrics.weights`, heads from inside the
package, and both are checked against their SHA-256.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from ...tokenizers.trust.weight_files import sha256_of
from . import weights
from .frame_threads import in_threads
from .interface import Arrays, MeasuredWindow, MetricError, Unavailable, WindowBatch
from .lpips_vgg import VggLpips
from .ratio import RatioMetric
from .weights import WeightFile, WeightsUnavailableError

Network = Literal["vgg", "alex"]

HEAD_SHA256: dict[Network, str] = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
}
SMALLEST_SIDE: dict[Network, int] = {"alex": 31, "vgg": 16}
"""Pixels below which the backbone's last feature map is empty."""
FRAMES_AT_ONCE = 8
"""Frames a forward pass takes, to bound the memory of the features."""
RANGE_TOLERANCE = 1e-4
"""How far beyond [-1, 1] rounding may carry a value."""


def build_lpips(network: Network, backbone: Mapping[str, Tensor], *, spatial: bool = False) -> nn.Module:
    """The network of LPIPS v0.1 with a given backbone and the package's heads, in evaluation mode, on the CPU.

    Args:
        network: which backbone.
        backbone: state dict of torchvision's model; only ``features.*`` is read.
        spatial: whether distances are upsampled to the picture's size before they are averaged.

    Raises:
        WeightsUnavailableError: if the package's heads are not those of version 0.1.
        MetricError: if the backbone lacks a tensor, or has one of another shape.
    """
    import lpips

    with warnings.catch_warnings(), torch.device("meta"):
        # The package calls torchvision in a way that torchvision deprecates.
        warnings.simplefilter("ignore")
        model = lpips.LPIPS(
            net=network, version="0.1", spatial=spatial, pretrained=False, pnet_rand=True, verbose=False
        )
    state = {**_heads(network), **_scaling(model)}
    for name in model.state_dict():
        if found := re.fullmatch(r"net\.slice\d+\.(\d+\.(?:weight|bias))", name):
            if f"features.{found[1]}" not in backbone:
                raise MetricError(f"the {network} backbone lacks features.{found[1]}")
            state[name] = backbone[f"features.{found[1]}"]
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise MetricError(f"the {network} backbone doesn't fit: {error}") from error
    return model.eval().requires_grad_(False)


def _heads(network: Network) -> dict[str, Tensor]:
    with resources.as_file(resources.files("lpips") / "weights" / "v0.1" / f"{network}.pth") as path:
        if (found := sha256_of(path)) != HEAD_SHA256[network]:
            raise WeightsUnavailableError(
                f"{path} has SHA-256 {found} instead of {HEAD_SHA256[network]}",
                "pip install --force-reinstall lpips==0.1.4",
            )
        heads = torch.load(path, map_location="cpu", weights_only=True)
    # The package holds every head under two names.
    return heads | {re.sub(r"lin(\d)", r"lins.\1", name): value for name, value in heads.items()}


def _scaling(model: nn.Module) -> dict[str, Tensor]:
    """The constants of the input scaling, which building on the meta device leaves on the CPU."""
    return {name: value for name, value in model.state_dict().items() if name.startswith("scaling_layer.")}


@torch.no_grad()
def lpips_distance(model: nn.Module, reference: Tensor, reconstruction: Tensor) -> Tensor:
    """LPIPS of each frame, the spatial mean where the model gives a map.

    Args:
        model: as :func:`build_lpips` gives it.
        reference: (B, 3, T, H, W) in [-1, 1].
        reconstruction: the same shape and range.

    Returns:
        (B, T) float32.

    Raises:
        MetricError: if a value is outside [-1, 1] or not a number.
    """
    _refuse_out_of_range(reference, reconstruction)
    fast = _fast_form(model, reference.device)

    def part_distances(part: tuple[Tensor, Tensor]) -> Tensor:
        return (fast or model)(*part).flatten(1).mean(1)

    # Window by window, so that no value depends on what else is in the batch.
    parts = [
        part
        for window in zip(reference, reconstruction, strict=True)
        for part in zip(*(_some_frames(video, FRAMES_AT_ONCE // (2 if fast else 1)) for video in window), strict=True)
    ]
    # Convolutions are large enough steps to be shared; with fewer parts than threads some would have nothing to do.
    is_spread = fast is not None and len(parts) >= torch.get_num_threads()
    distances = in_threads(part_distances, parts) if is_spread else [part_distances(part) for part in parts]
    return torch.cat(distances).view(reference.shape[0], reference.shape[2])


def _some_frames(video: Tensor, number: int) -> tuple[Tensor, ...]:
    """The frames of (3, T, H, W), so many at a time, (n, 3, H, W)."""
    return video.transpose(0, 1).float().split(number)


def _refuse_out_of_range(reference: Tensor, reconstruction: Tensor) -> None:
    ends = torch.stack([end for video in (reference, reconstruction) for end in video.aminmax()])
    for what, (low, high) in zip(("reference", "reconstruction"), ends.view(2, 2).tolist(), strict=True):
        if not (low >= -1 - RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
            raise MetricError(f"LPIPS takes values in [-1, 1]; the {what} has {low:.4g} to {high:.4g}")


_FAST_FORMS: WeakKeyDictionary[nn.Module, VggLpips] = WeakKeyDictionary()
"""By model. They read its parameters, and hold kernels that they made from them."""


def _fast_form(model: Any, device: torch.device) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The same distances (N, 1), computed faster, where there is a way."""
    if device.type != "cpu" or model.pnet_type != "vgg" or model.spatial:
        return None
    if model not in _FAST_FORMS:
        _FAST_FORMS[model] = VggLpips(model)
    fast = _FAST_FORMS[model]
    return lambda x, y: fast.distances(x, y)[:, None]


class _Lpips(RatioMetric):
    direction = "lower"
    range = (0.0, 10.0)
    display_range = (0.5, 0.0)
    decimals = 4
    needs = "pairs"
    piecewise = True
    takes_stacks = True
    network: Network
    spatial: bool = False
    weight: WeightFile

    def __init__(self, backbone: Mapping[str, Tensor] | None = None):
        """``backbone``: a state dict to use in place of the published weights; figures are then comparable to none."""
        self._backbone = backbone
        self._model: nn.Module | None = None

    @property
    def measurement_key(self) -> str:
        """Name, version and backbone."""
        backbone = "supplied" if self._backbone is not None else self.weight.sha256[:12]
        return f"{super().measurement_key}:{backbone}"

    def unavailable(self) -> Unavailable | None:
        """Why the backbone can't be used."""
        return None if self._backbone is not None else weights.unavailable(self.weight)

    def prepare(self, device: torch.device) -> None:
        """Build the network; raises ``WeightsUnavailableError`` if its weights aren't here or aren't the right ones."""
        backbone = self._backbone if self._backbone is not None else _load_backbone(weights.verified(self.weight))
        self._model = build_lpips(self.network, backbone, spatial=self.spatial).to(device)

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``lpips``: (T,) float32."""
        height, width = batch.reference.shape[-2:]
        if min(height, width) < (side := SMALLEST_SIDE[self.network]):
            raise MetricError(f"frames of {height}×{width} pixels are smaller than the {side} pixels {self.name} takes")
        if self._model is None:
            self.prepare(batch.reference.device)
        assert self._model is not None
        distances = lpips_distance(self._model, batch.reference, batch.reconstruction)
        return [{"lpips": row} for row in distances.cpu().numpy()]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The distance of each frame."""
        return np.asarray(window.arrays["lpips"], dtype=np.float64)


def _load_backbone(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


class LpipsVgg(_Lpips):
    """LPIPS with the VGG-16 backbone: VidTok's."""

    name = "lpips-vgg"
    title = "LPIPS"
    convention = "lpips v0.1, VGG-16, input [-1, 1]; spatial mean of each layer, summed; mean over all frames (VidTok)"
    measurement = "lpips-vgg"
    network = "vgg"
    weight = weights.LPIPS_VGG


class LpipsAlex(_Lpips):
    """LPIPS with the AlexNet backbone: what most video VAEs quote."""

    name = "lpips-alex"
    title = "LPIPS (Alex)"
    convention = "lpips v0.1, AlexNet, input [-1, 1]; spatial mean of each layer, summed; mean over all frames"
    measurement = "lpips-alex"
    network = "alex"
    weight = weights.LPIPS_ALEX


class LpipsAlexSpatial(_Lpips):
    """LPIPS with the AlexNet backbone, distances upsampled to the picture before averaging: CDT's."""

    name = "lpips-alex-spatial"
    title = "LPIPS (Alex, sp.)"
    convention = (
        "lpips v0.1, AlexNet, input [-1, 1], spatial=True: each layer's distances upsampled bilinearly, summed, "
        "averaged; mean over all frames (CDT)"
    )
    measurement = "lpips-alex-spatial"
    network = "alex"
    spatial = True
    weight = weights.LPIPS_ALEX
