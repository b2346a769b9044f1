"""The size of a tokenizer: parameters and multiply-adds, counted on the meta device without weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ...datasets.protocol import Protocol
from ...tokenizers.interface import InferenceSettings, VideoTokenizer
from ..ledger.counted_facts import COUNTED_AS_SET
from .plugin_code import describe, plugin_code

if TYPE_CHECKING:
    from .tokenizer_entry import TokenizerEntry

FLOPS_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class Complexity:
    """Parameters, and the multiply-adds of encoding and decoding one clip; ``None`` for what wasn't counted."""

    params_total: int | None = None
    """Parameters of all networks."""
    params_encoder: int | None = None
    """Parameters of the encoder."""
    params_decoder: int | None = None
    """Parameters of the decoder."""
    macs_total: int | None = None
    """Multiply-adds of encode and decode: convolutions, matrix products, attention."""
    macs_encoder: int | None = None
    """Multiply-adds of encode, regularizer included."""
    macs_decoder: int | None = None
    """Multiply-adds of decode."""
    reason: str = ""
    """Why something wasn't counted."""

    def facts(self) -> dict[str, float]:
        """What was counted, by field name, and FLOPs (``flops_*``), two for each multiply-add."""
        counted = {name: float(value) for name, value in asdict(self).items() if isinstance(value, int)}
        macs = {name: value for name, value in counted.items() if name.startswith("macs_")}
        return counted | {name.replace("macs", "flops"): FLOPS_PER_MULTIPLY_ADD * v for name, v in macs.items()}


def measure_complexity(
    entry: TokenizerEntry,
    num_frames: int,
    height: int | None,
    width: int | None,
    settings: InferenceSettings | None = None,
) -> Complexity:
    """Count a tokenizer of the catalog, batch 1, for a clip of the given size; without a size, its parameters alone.

    It is counted as ``settings`` run it, with their steps, chunks and tiles; the defaults if not given.

    Codecs and resizers have no networks: nothing is counted. Counting never raises: a model that can't be built or run
    on the meta device has a ``reason``.
    """
    try:
        with plugin_code():
            tokenizer = entry.build_on_meta(settings)
            if not tokenizer.modules():
                return Complexity(reason="it has no networks")
            parameters = _count_parameters(tokenizer)
    except Exception as error:
        # A third party's model may raise anything at all; the measurement goes on without its complexity.
        return Complexity(reason=f"it can't be built on the meta device: {describe(error)}")
    if height is None or width is None:
        return replace(parameters, reason="multiply-adds depend on the clip's size, and there is no fixed one")
    try:
        with plugin_code():
            encoder, decoder = count_multiply_adds(tokenizer, num_frames, height, width)
    except Exception as error:
        reason = f"it can't run on the meta device: {describe(error)}"
        return replace(parameters, reason=reason)
    if not encoder or not decoder:
        part = "encoder" if not encoder else "decoder"
        return replace(parameters, reason=f"its {part} computed nothing at {num_frames}×{height}×{width}")
    return replace(parameters, macs_total=encoder + decoder, macs_encoder=encoder, macs_decoder=decoder)


def _count_parameters(tokenizer: VideoTokenizer) -> Complexity:
    modules = tokenizer.modules()
    # One list of all networks counts tensors that two of them share once.
    total = sum(parameter.numel() for parameter in nn.ModuleList(modules.values()).parameters())
    encoder, decoder = (
        sum(parameter.numel() for parameter in modules[role].parameters()) if role in modules else None
        for role in ("encoder", "decoder")
    )
    return Complexity(params_total=total, params_encoder=encoder, params_decoder=decoder)


def count_multiply_adds(tokenizer: VideoTokenizer, num_frames: int, height: int, width: int) -> tuple[int, int]:
    """Multiply-adds of encode and of decode, batch 1, of a tokenizer on the meta device.

    Torch's counter covers convolutions, matrix products and attention, and counts two operations for each multiply-add.
    """
    video = torch.zeros(1, 3, num_frames, height, width, device="meta")
    with FlopCounterMode(display=False) as encoder:
        encoded = tokenizer.encode(video)
    with FlopCounterMode(display=False) as decoder:
        tokenizer.decode(encoded)
    counts = [counter.get_total_flops() // FLOPS_PER_MULTIPLY_ADD for counter in (encoder, decoder)]
    return counts[0], counts[1]


def measure_facts(
    entry: TokenizerEntry, protocol: Protocol, settings: InferenceSettings | None = None
) -> dict[str, float]:
    """A cell's facts: complexity of the protocol's shortest window under its settings, and what codebooks it has."""
    spec = entry.spec()
    num_frames = protocol.window_length(causal=spec.causal)
    facts = measure_complexity(entry, num_frames, protocol.height, protocol.width, settings).facts()
    if facts and settings is not None and settings.of_work.changed:
        facts |= {COUNTED_AS_SET: 1.0}
    if spec.codebook_size is not None:
        facts |= {"codebook_size": float(spec.codebook_size), "num_codebooks": float(spec.num_codebooks)}
    return facts
