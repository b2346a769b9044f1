"""What the conformance test asks of a tokenizer: clips, noise, forward passes, and how two of them differ."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ...tokenizers.interface import Encoded, VideoTokenizer
from ..execution.device import open_device

TOLERANCE = 1e-4
"""Largest difference of values, over the largest magnitude, that rounding in another order may make."""

FLIPPED_CODES = 0.005
"""Largest share of codes that may flip because a value lies on the border of two codes."""

COARSE_PIXELS = 8
"""Pixels from one random value of a clip's texture to the next."""

VIDEO_DIMENSIONS = 5
SEQUENCE_DIMENSIONS = 3

ZOOM = 4
"""Times that a clip's texture is as wide as the clip, at least, so that it can pan."""


class FramewiseGroupNorms(TorchFunctionMode):
    """While it is active, group norms over frames take the statistics of each frame alone.

    Of a sequence (B, C, T · H · W), whose frames can't be told apart, they take those of each position.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        dimensions = (SEQUENCE_DIMENSIONS, VIDEO_DIMENSIONS)
        if func not in (F.group_norm, torch.group_norm) or args[0].ndim not in dimensions:
            return func(*args, **(kwargs or {}))
        frames = args[0].movedim(2, 1)
        normalized = func(frames.flatten(0, 1), *args[1:], **(kwargs or {}))
        return normalized.unflatten(0, frames.shape[:2]).movedim(1, 2)


@dataclass(frozen=True)
class Outcome:
    """A forward pass: what came out of the encoder and of the decoder."""

    encoded: Encoded
    video: Tensor
    """(B, 3, T, H, W), not clamped."""


@dataclass(frozen=True)
class Probe:
    """A tokenizer with the clips that it is asked to encode."""

    tokenizer: VideoTokenizer
    device: torch.device
    side: int
    """Height and width of the clips."""
    fresh: Callable[[], VideoTokenizer] | None = None
    """Builds the tokenizer once more, from its card or plugin; ``None`` where that can't be done."""

    @property
    def step(self) -> int:
        """Frames after which both the frame rule and the latent repeat."""
        return math.lcm(self.tokenizer.spec.frame_rule.multiple, self.tokenizer.spec.temporal_compression)

    @property
    def first(self) -> int:
        """Frames that the first latent of a causal tokenizer stands for."""
        rule = self.tokenizer.spec.frame_rule
        return rule.offset % self.step if rule.multiple > 1 else 1

    def legal_length(self, at_least: int) -> int:
        """The smallest legal number of frames that is at least this."""
        return self.tokenizer.spec.frame_rule.next_legal(at_least)

    def clip(self, num_frames: int, seed: int = 0, height: int | None = None, width: int | None = None) -> Tensor:
        """(1, 3, T, H, W) in [-1, 1]: a smooth random texture that pans, the same for the same seed and size."""
        height, width = height or self.side, width or self.side
        generator = torch.Generator().manual_seed(seed)
        grid = [size * ZOOM // COARSE_PIXELS + 2 for size in (height, width)]
        coarse = torch.rand((1, 3, *grid), generator=generator) * 2.4 - 1.2
        texture = F.interpolate(coarse, size=(height * ZOOM, width * ZOOM), mode="bicubic").clamp(-1, 1)
        offsets = [(t % (height * (ZOOM - 1)), 2 * t % (width * (ZOOM - 1))) for t in range(num_frames)]
        frames = [texture[..., y : y + height, x : x + width] for y, x in offsets]
        return torch.stack(frames, dim=2).to(self.device)

    def encode(self, video: Tensor, seeds: Sequence[int], global_seed: int = 0) -> Encoded:
        """Encode with one generator a clip; ``global_seed`` is that of torch's own, which must not matter."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        with torch.random.fork_rng():
            torch.manual_seed(global_seed)
            return self.tokenizer.encode(video, generators)

    def run(self, video: Tensor, seeds: Sequence[int] = (0,), global_seed: int = 0) -> Outcome:
        """Encode and decode."""
        encoded = self.encode(video, seeds, global_seed)
        with torch.random.fork_rng():
            torch.manual_seed(global_seed + 1)
            return Outcome(encoded, self.tokenizer.decode(encoded))

    def live_bytes(self) -> int:
        """Bytes that tensors hold on the device, each storage counted once."""
        gc.collect()
        if (used := open_device(self.device).used_bytes()) is not None:
            return used
        # Objects of other libraries may run code when they are asked for their class in any other way.
        tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]
        dense = [tensor for tensor in tensors if tensor.layout == torch.strided and tensor.device.type == "cpu"]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in dense}
        return sum(storages.values())


def encoded_difference(a: Encoded, b: Encoded, *, exact: bool) -> str:
    """How two encodings of one clip differ beyond what is allowed, in words; empty if they don't.

    Args:
        a: an encoding.
        b: another one.
        exact: whether every bit must be the same, or :data:`TOLERANCE` and :data:`FLIPPED_CODES` are granted.
    """
    if a.bitstreams != b.bitstreams:
        return "the bitstreams differ"
    for number, (first, second) in enumerate(zip(a.codes, b.codes, strict=True)):
        if first.shape != second.shape:
            return f"the codes have the shapes {tuple(first.shape)} and {tuple(second.shape)}"
        share = float((first != second).float().mean())
        if share > (0 if exact else FLIPPED_CODES):
            return f"{100 * share:.1f} % of the codes differ" + (f" in codebook {number}" if number else "")
    if a.codes and not exact:
        # A flipped code's latent is another one, so that latents say nothing more.
        return ""
    for name in ("latents", "kl_nats"):
        first, second = getattr(a, name), getattr(b, name)
        if first is not None and (difference := tensor_difference(first, second, exact=exact)):
            return f"{name}: {difference}"
    return ""


def tensor_difference(a: Tensor, b: Tensor, *, exact: bool) -> str:
    """How two tensors differ beyond what is allowed, in words; empty if they don't. NaN differs from everything."""
    if a.shape != b.shape:
        return f"the shapes are {tuple(a.shape)} and {tuple(b.shape)}"
    if torch.equal(a, b):
        return ""
    difference = float((a.double() - b.double()).abs().max())
    largest = max(1.0, float(b.double().abs().max()))
    return "" if not exact and difference <= TOLERANCE * largest else f"values differ by {difference:.2g}"
