"""The networks: the base of 4×, levels grown on it, and the rival that is extended without growth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from ..errors import TokenizerError
from ..networks.magvit2.tiles import LayerTiling
from ..networks.magvit2.trunk import DecoderTrunk, EncoderTrunk
from ..networks.quantizers.kl import KLQuantizer
from .bottleneck import Bottleneck
from .config import BASE_RATIO, ProgressiveConfig
from .growth import DROPPED_FRAME, Extension, Growth


class Base(nn.Module):
    """The tokenizer of 4×: MAGVIT-v2 with a continuous latent, without an adaptive norm."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.encoder = EncoderTrunk(config.trunk, config.make_norm)
        self.decoder = DecoderTrunk(config.trunk, config.make_norm, DROPPED_FRAME)
        self.bottleneck = Bottleneck(config)


class LevelledModel(nn.Module, ABC):
    """What both architectures share. Clips are (B, 3, 1 + n · ratio, H, W) in [-1, 1], H and W multiples of 8."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.config = config
        self.base = Base(config)
        self.regularization = KLQuantizer()

    @abstractmethod
    def moments(self, video: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """Mean and log-variance (B, 2 Z, 1 + n, H/8, W/8) of a clip's latent."""

    @abstractmethod
    def decode(self, latents: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """The clip (B, 3, 1 + n · ratio, H, W) of latents (B, Z, 1 + n, H/8, W/8), not clamped."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """What is in use at the model's ratio: ``encoder``, ``decoder`` and ``regularizer``."""

    def frozen_modules(self) -> Iterator[nn.Module]:
        """What training leaves as it is."""
        yield from ()

    def lower_bottlenecks(self) -> Iterator[nn.Module]:
        """The bottlenecks of the levels below the last, which the model's own ratio doesn't use."""
        yield from ()

    def reconstruct(self, video: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """The clip through encoder and decoder, at the posterior's mean."""
        return self.decode(self.regularization(self.moments(video, tiling)).latents, tiling)


class ProgressiveModel(LevelledModel):
    """The base with the levels grown on it; every level can be used at its own ratio.

    State dict: ``base.{encoder,decoder,bottleneck}.*`` and ``grow.RATIO.{affine,encoder,decoder,bottleneck}.*``.
    """

    def __init__(self, config: ProgressiveConfig):
        super().__init__(config)
        self.grow = nn.ModuleDict()
        for ratio in config.higher_ratios:
            level = Growth(config)
            if config.bootstrap:
                level.bootstrap(self.bottleneck(ratio // 2))
            self.grow[str(ratio)] = level

    def level(self, ratio: int) -> Growth:
        """What was grown for a ratio above the base's.

        Raises:
            TokenizerError: if the model has no such level.
        """
        if str(ratio) not in self.grow:
            raise TokenizerError(f"the model has the ratios {BASE_RATIO} to {self.config.ratio}, not {ratio}")
        return cast("Growth", self.grow[str(ratio)])

    def bottleneck(self, ratio: int) -> Bottleneck:
        """The bottleneck of a level."""
        return self.base.bottleneck if ratio == BASE_RATIO else self.level(ratio).bottleneck

    def features(self, video: Tensor, ratio: int, tiling: LayerTiling | None = None) -> Tensor:
        """Encoder features (B, C, 1 + n, H/8, W/8) of a level, before its bottleneck.

        Levels need those below them on the clip and on every second frame of it. Each pass is made once: the base
        sees every frame, every second, every fourth, …
        """
        known: dict[tuple[int, int], Tensor] = {}

        def features_of(stride: int, ratio: int) -> Tensor:
            if (stride, ratio) not in known:
                if ratio == BASE_RATIO:
                    known[stride, ratio] = self.base.encoder.features(video[:, :, ::stride], tiling)
                else:
                    key, full = features_of(2 * stride, ratio // 2), features_of(stride, ratio // 2)
                    known[stride, ratio] = self.level(ratio).features(key, full, tiling)
            return known[stride, ratio]

        return features_of(1, ratio)

    def moments(self, video: Tensor, tiling: LayerTiling | None = None, ratio: int | None = None) -> Tensor:
        """As declared; ``ratio`` picks a lower level."""
        ratio = self.config.ratio if ratio is None else ratio
        return self.bottleneck(ratio).moments(self.features(video, ratio, tiling))

    def decode(self, latents: Tensor, tiling: LayerTiling | None = None, ratio: int | None = None) -> Tensor:
        """As declared; ``ratio`` picks a lower level."""
        ratio = self.config.ratio if ratio is None else ratio
        x = self.bottleneck(ratio).features(latents)
        while ratio > BASE_RATIO:
            x = self.level(ratio).decoder(x, tiling)
            ratio //= 2
        return self.base.decoder.frames(x, tiling)

    def parts(self) -> dict[str, nn.Module]:
        """Everything but the bottlenecks of lower levels."""
        levels = [self.level(ratio) for ratio in self.config.higher_ratios]
        encoders = [module for level in levels for module in (level.affine, level.encoder) if module is not None]
        return {
            "encoder": nn.ModuleList([self.base.encoder, *encoders]),
            "decoder": nn.ModuleList([self.base.decoder, *(level.decoder for level in levels)]),
            "regularizer": self.bottleneck(self.config.ratio),
        }

    def frozen_modules(self) -> Iterator[nn.Module]:
        """All levels below the last."""
        if self.config.ratio > BASE_RATIO:
            yield self.base
            yield from (self.level(ratio) for ratio in self.config.higher_ratios[:-1])

    def lower_bottlenecks(self) -> Iterator[nn.Module]:
        """As declared."""
        yield from (self.bottleneck(ratio // 2) for ratio in self.config.higher_ratios)


class DirectModel(LevelledModel):
    """The base's networks with more levels in between, trained from scratch as a whole.

    State dict: ``base.*`` as for :class:`ProgressiveModel`, and ``extend.RATIO.{encoder,decoder}.*``.
    """

    def __init__(self, config: ProgressiveConfig):
        super().__init__(config)
        self.extend = nn.ModuleDict({str(ratio): Extension(config) for ratio in config.higher_ratios})

    @property
    def extensions(self) -> Sequence[Extension]:
        """One for each doubling of the ratio, in the encoder's order."""
        return [cast("Extension", extension) for extension in self.extend.values()]

    def moments(self, video: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """As declared."""
        x = self.base.encoder.features(video, tiling)
        for extension in self.extensions:
            x = extension.encoder(x, tiling)
        return self.base.bottleneck.moments(x)

    def decode(self, latents: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """As declared."""
        x = self.base.bottleneck.features(latents)
        for extension in reversed(self.extensions):
            x = extension.decoder(x, tiling)
        return self.base.decoder.frames(x, tiling)

    def parts(self) -> dict[str, nn.Module]:
        """Everything."""
        return {
            "encoder": nn.ModuleList([self.base.encoder, *(extension.encoder for extension in self.extensions)]),
            "decoder": nn.ModuleList([self.base.decoder, *(extension.decoder for extension in self.extensions)]),
            "regularizer": self.base.bottleneck,
        }


def build_model(config: ProgressiveConfig) -> ProgressiveModel | DirectModel:
    """The network of a configuration, with freshly drawn weights."""
    return ProgressiveModel(config) if config.architecture == "progressive" else DirectModel(config)


def grow(model: ProgressiveModel, config: ProgressiveConfig | None = None) -> ProgressiveModel:
    """The model of twice the ratio: copies of all levels of ``model``, and a new one to train.

    The new level's weights are drawn from torch's default generator and, if the configuration says ``bootstrap``, made
    to start as the level below on every second frame.

    Args:
        model: what grows.
        config: of the grown model; ``None``: the one of ``model`` at twice the ratio.

    Raises:
        TokenizerError: if ``config`` would change what the levels of ``model`` compute.
    """
    doubled = replace(model.config, ratio=2 * model.config.ratio)
    config = config or doubled
    free = ("bootstrap",) if model.config.higher_ratios else ("bootstrap", "key_path", "mixing")
    if config != replace(doubled, **{name: getattr(config, name) for name in free}):
        raise TokenizerError(
            f"a model of {model.config} can't grow into one of {config}: only {', '.join(free)} may differ"
        )
    weight = next(model.parameters())
    # Only the new level's weights are drawn in earnest, so the others are made without memory first.
    with torch.device("meta"):
        grown = ProgressiveModel(config)
    level = Growth(grown.config).to(weight)
    if grown.config.bootstrap:
        level.bootstrap(model.bottleneck(model.config.ratio))
    grown.grow[str(grown.config.ratio)] = level
    own = {name: value.clone() for name, value in model.state_dict().items()}
    new = {f"grow.{grown.config.ratio}.{name}": value for name, value in level.state_dict().items()}
    grown.load_state_dict(own | new, assign=True)
    return grown
