"""What a run knows beyond its figures, for the prose and the summary tables of a paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainingFacts:
    """How toklab trained a system's weights, as its card says."""

    recipe: str
    data: str
    steps: int
    seconds: float
    device: str
    validation: str
    """What the PSNR was measured on."""
    psnr: float
    """On the validation clips, in dB."""


@dataclass(frozen=True)
class SystemFacts:
    """What a system is, whatever was measured."""

    label: str
    """As in :class:`~..schema.Figure`."""
    regularizer: str
    """As in :class:`~..schema.Figure`."""
    causal: bool
    temporal_compression: int
    spatial_compression: int
    latent_channels: int | None
    """``None`` for codecs."""
    codebook_size: int | None
    """``None`` for continuous tokenizers."""
    input_size: tuple[int, int, int] | None = None
    """Frames, height and width of the clips it was measured on; ``None`` where they differ or are unknown."""
    params: float | None = None
    """Millions of parameters; ``None``: unknown, or none."""
    macs: float | None = None
    """Multiply-adds of one clip, in 10^12; ``None``: unknown, or none."""
    weights: str = ""
    """Identity of the weights: ``sha256:…``; empty if none."""
    licence: str = ""
    training: TrainingFacts | None = None
    """``None`` for weights that toklab didn't train."""

    @property
    def compression(self) -> str:
        """Factors in time, height and width: ``4×8×8``."""
        return f"{self.temporal_compression}×{self.spatial_compression}×{self.spatial_compression}"


@dataclass(frozen=True)
class RunFacts:
    """What a run knows beyond its figures."""

    systems: tuple[SystemFacts, ...] = ()
    conventions: Mapping[str, str] = field(default_factory=dict)
    """Name of a metric → its convention in one sentence."""
    remarks: tuple[str, ...] = ()
    """Sentences on the windows that figures rest on."""

    def system(self, label: str) -> SystemFacts | None:
        """The facts of a system, if they are known."""
        return next((system for system in self.systems if system.label == label), None)
