"""Self-checks: every metric against an identity or a closed form, through the same path as a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...tokenizers.interface import Encoded, TokenizerSpec, VideoTokenizer
from ..catalog.catalog import metrics
from ..catalog.complexity import count_multiply_adds
from ..metrics.frechet import frechet_distance
from ..metrics.fvd import FvdCrop
from ..metrics.interface import Accumulator, Estimate, MeasuredWindow, Metric, Unavailable, WindowBatch
from ..metrics.repetitions import Repetitions

SPEC = TokenizerSpec("check", "check", "Check", "fsq", causal=False, temporal_compression=1, spatial_compression=1)
NO_CODES = Encoded()
BLACK, WHITE = -1.0, 1.0


@dataclass(frozen=True)
class Check:
    """One metric on one input whose figure is known."""

    name: str
    """What is checked, in words."""
    compute: Callable[[], tuple[float, float, float]]
    """Gives (measured, expected, largest allowed difference)."""
    metric: str = ""
    """The metric whose weights it needs; empty if it needs none."""

    def skipped(self) -> Unavailable | None:
        """Why it can't run here."""
        return _metric(self.metric).unavailable() if self.metric else None


def _metric(name: str) -> Metric:
    return metrics().get(name)()


def _video(value: float, num_frames: int = 4, side: int = 32) -> Tensor:
    return torch.full((1, 3, num_frames, side, side), float(value))


def _noise(seed: int = 0, num_frames: int = 4, side: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((1, 3, num_frames, side, side), generator=generator) * 2 - 1


def _window(
    metric: Metric, reference: Tensor, reconstruction: Tensor, encoded: Encoded | None = None
) -> MeasuredWindow:
    batch = WindowBatch(reference, reconstruction, encoded or Encoded(), SPEC)
    return MeasuredWindow("check", 0, reference.shape[2], metric.measure(batch)[0])


def _figure(name: str, reference: Tensor, reconstruction: Tensor, encoded: Encoded = NO_CODES) -> float:
    metric = _metric(name)
    return _value(metric, [_window(metric, reference, reconstruction, encoded)])


def _value(metric: Metric, windows: Sequence[MeasuredWindow], facts: dict[str, float] | None = None) -> float:
    accumulator = Accumulator(metric)
    for index, window in enumerate(windows):
        accumulator.accumulate(replace(window, window=index))
    estimate = accumulator.finalize(facts)
    return estimate.value if isinstance(estimate, Estimate) else math.nan


def _decibels(mse: float) -> float:
    return -10 * math.log10(mse + 1e-8)


def _two_clips(name: str) -> float:
    """PSNR of two clips whose errors are 0.1 and 0.01 on the scale [0, 1]."""
    metric = _metric(name)
    return _value(metric, [_window(metric, _video(0), _video(2 * error)) for error in (0.1, 0.01)])


def _constant_ssim(name: str) -> tuple[float, float, float]:
    x, y, constant = 0.25, 0.5, 0.01**2
    measured = _figure(name, _video(2 * x - 1), _video(2 * y - 1))
    return measured, (2 * x * y + constant) / (x * x + y * y + constant), 1e-9


def _flicker() -> tuple[float, float, float]:
    reference = _video(0)
    flickering = reference.clone()
    flickering[:, :, ::2] += 0.5
    return _figure("flicker", reference, flickering), 0.25, 1e-12


def _still_vmaf() -> tuple[float, float, float]:
    still = _video(0, side=64)
    return _figure("vmaf", still, still), 97.428, 1e-3


def _features(num_samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(num_samples, 40))


def _shifted_frechet() -> tuple[float, float, float]:
    features = _features(200)
    return frechet_distance(features, features + 0.5), 40 * 0.25, 1e-9


def _singular_frechet() -> tuple[float, float, float]:
    centred = _features(10) - _features(10).mean(0)
    return frechet_distance(centred, 3 * centred), 4 * float(np.square(centred).sum()) / 10, 1e-9


def _set_figure(name: str, references: np.ndarray, reconstructions: np.ndarray) -> float:
    """Of features (N, d) as a network might have given them."""
    made = zip(reconstructions, references, strict=True)
    windows = [MeasuredWindow("check", 0, 16, {"features": x}, {"features": y}) for x, y in made]
    return _value(_metric(name), windows)


def _tripled_fvd(name: str, divisor: int) -> tuple[float, float, float]:
    """Of 50 centred features and three times these, with covariances divided by ``divisor``."""
    centred = _features(50) - _features(50).mean(0)
    expected = 4 * float(np.square(centred).sum()) / divisor
    return _set_figure(name, centred, 3 * centred), expected, 1e-9 * expected


def _cropped_fvd() -> tuple[float, float, float]:
    """The darkest pixel that I3D gets of a white clip with black sides."""
    video = _video(WHITE, num_frames=2, side=48).repeat(1, 1, 1, 1, 2)
    video[..., :20] = video[..., -20:] = BLACK
    darkest = FvdCrop().features(lambda clip, **switches: clip.amin((1, 2, 3, 4)), video)
    return float(darkest), WHITE, 1e-6


def _doubled_jedi() -> tuple[float, float, float]:
    features = _features(50)
    second_moments = features.T @ features / 50
    expected = 100 / 40**2 * (2**2 - 1) ** 2 * float(np.square(second_moments).sum())
    return _set_figure("jedi", features, 2 * features), expected, 1e-9


def _uniform_codes() -> Encoded:
    return Encoded(codes=(torch.arange(64).reshape(1, 4, 4, 4),), codebook_sizes=(64,))


def _order_zero_rate() -> tuple[float, float, float]:
    return _figure("bpp-order0", _video(0), _video(0), _uniform_codes()), 64 * 6 / (4 * 32 * 32), 1e-12


def _adaptive_rate() -> tuple[float, float, float]:
    # The i-th token, from 0, is a new code: its probability is ½ / (i + 64 / 2).
    bits = -math.fsum(math.log2(0.5 / (token + 32)) for token in range(64))
    return _figure("bpp-kt", _video(0), _video(0), _uniform_codes()), bits / (4 * 32 * 32), 1e-12


def _bpp() -> tuple[float, float, float]:
    return _figure("bpp", _video(0), _video(0), _uniform_codes()), 64 * 6 / (4 * 32 * 32), 1e-12


def _kl_bpp() -> tuple[float, float, float]:
    encoded = Encoded(latents=torch.zeros(1, 4, 1, 2, 2), kl_nats=torch.tensor([4096 * math.log(2)]))
    return _figure("bpp-kl", _video(0), _video(0), encoded), 1.0, 1e-6


def _repeated(name: str, expected: float) -> tuple[float, float, float]:
    """Of three repetitions of a batch of 2 clips of 17 frames, as the throughput pass keeps them."""
    encode_s, decode_s = np.array([0.4, 0.5, 0.9]), np.array([1.9, 2.0, 5.0])
    kept = Repetitions(encode_s, decode_s, batch_size=2, num_frames=17, num_tokens=9, warm_ups=2, machine="check")
    return _value(_metric(name), [MeasuredWindow("check", 0, 17, kept.to_arrays())]), expected, 1e-9


def _peak() -> tuple[float, float, float]:
    timing = {"encode_s": 0.5, "decode_s": 2.0, "batch_size": 2.0, "peak_bytes": 2.0**30}
    return _value(_metric("peak-memory"), [MeasuredWindow("check", 0, 17, {}, timing=timing)]), 1024.0, 1e-9


class _Convolution(VideoTokenizer):
    """Encodes with one 3×3×3 convolution from 3 to 8 channels, and decodes with one back."""

    def __init__(self) -> None:
        super().__init__(replace(SPEC, regularizer="ae", latent_channels=8))
        self.encoder, self.decoder = nn.Conv3d(3, 8, 3, padding=1), nn.Conv3d(8, 3, 3, padding=1)

    def modules(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder}

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return Encoded(latents=self.encoder(video))

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        return self.decoder(encoded.latents)


def _convolution_work() -> tuple[float, float, float]:
    with torch.device("meta"):
        encoder, decoder = count_multiply_adds(_Convolution(), 4, 32, 32)
    return encoder + decoder, 2 * (4 * 32 * 32) * 3 * 8 * 27, 0


def _model_figure(name: str, fact: str, scale: float) -> tuple[float, float, float]:
    return _value(_metric(name), [], {fact: 12 * scale}), 12.0, 1e-12


def _black_and_white_fvd() -> tuple[float, float, float]:
    """All-black against all-white videos of 30 frames; every video of a side is the same, so one of each is run."""
    metric = _metric("fvd-i3d")
    sides = [_video(value, num_frames=30, side=64) for value in (BLACK, WHITE)]
    references, reconstructions = metric.measure_reference(sides[0])[0], metric.measure_reference(sides[1])[0]
    window = MeasuredWindow("check", 0, 30, reconstructions, references)
    return _value(metric, [window] * 8), 151.2565, 1.0


CHECKS: list[Check] = [
    Check("psnr of identical frames", lambda: (_figure("psnr", _noise(), _noise()), 80.0, 1e-9)),
    Check("psnr of a constant error", lambda: (_figure("psnr", _video(0), _video(0.2)), _decibels(0.01), 1e-5)),
    Check("psnr of two clips", lambda: (_two_clips("psnr"), (_decibels(1e-2) + _decibels(1e-4)) / 2, 1e-4)),
    Check("psnr-cap100 of identical frames", lambda: (_figure("psnr-cap100", _noise(), _noise()), 100.0, 0)),
    Check("psnr-cap100 of a constant error", lambda: (_figure("psnr-cap100", _video(0), _video(0.2)), 20.0, 1e-5)),
    Check("psnr-clip of two clips", lambda: (_two_clips("psnr-clip"), (_decibels(1e-2) + _decibels(1e-4)) / 2, 1e-4)),
    Check("psnr-tokenbench of two clips", lambda: (_two_clips("psnr-tokenbench"), 30.0, 1e-4)),
    Check("psnr-pooled of two clips", lambda: (_two_clips("psnr-pooled"), _decibels((1e-2 + 1e-4) / 2), 1e-4)),
    Check("ssim of identical frames", lambda: (_figure("ssim", _noise(), _noise()), 1.0, 1e-12)),
    Check("ssim of two constants", lambda: _constant_ssim("ssim")),
    Check("ssim-gauss11 of identical frames", lambda: (_figure("ssim-gauss11", _noise(), _noise()), 1.0, 1e-12)),
    Check("ssim-gauss11 of two constants", lambda: _constant_ssim("ssim-gauss11")),
    Check("ssim-skimage of identical frames", lambda: (_figure("ssim-skimage", _noise(), _noise()), 1.0, 1e-12)),
    Check("ssim-skimage of two constants", lambda: _constant_ssim("ssim-skimage")),
    Check("flicker of identical clips", lambda: (_figure("flicker", _noise(), _noise()), 0.0, 0)),
    Check("flicker of an alternating offset", _flicker),
    Check("vmaf of a still clip with itself", _still_vmaf, "vmaf"),
    Check("fvd: identical sets", lambda: (frechet_distance(_features(200), _features(200)), 0.0, 1e-9)),
    Check("fvd: a shifted set", _shifted_frechet),
    Check("fvd: a scaled set with fewer samples than dimensions", _singular_frechet),
    Check("fvd-i3d of tripled features", lambda: _tripled_fvd("fvd-i3d", 50)),
    Check("fvd-i3d-crop of tripled features", lambda: _tripled_fvd("fvd-i3d-crop", 49)),
    Check("fvd-i3d-crop of a clip with other sides", _cropped_fvd),
    Check(
        "fvd-videomae-g-ssv2 of shifted features",
        lambda: (_set_figure("fvd-videomae-g-ssv2", _features(200), _features(200) + 0.5), 40 * 0.25, 1e-9),
    ),
    Check("jedi of doubled features", _doubled_jedi),
    Check(
        "jedi-paired of features and their negatives",
        lambda: (_set_figure("jedi-paired", _features(50), -_features(50)), 0.0, 1e-9),
    ),
    Check("bpp of codes", _bpp),
    Check("bpp-kl of a known divergence", _kl_bpp),
    Check("bpp-order0 of every code once", _order_zero_rate),
    Check("bpp-kt of every code once", _adaptive_rate),
    Check(
        "codebook-utilization of every code once",
        lambda: (_figure("codebook-utilization", _video(0), _video(0), _uniform_codes()), 100.0, 0),
    ),
    Check(
        "codebook-perplexity of every code once",
        lambda: (_figure("codebook-perplexity", _video(0), _video(0), _uniform_codes()), 64.0, 1e-9),
    ),
    Check("throughput-encode of a known time", lambda: _repeated("throughput-encode", 68.0)),
    Check("throughput-decode of a known time", lambda: _repeated("throughput-decode", 17.0)),
    Check("latency of a known time", lambda: _repeated("latency", 2.5)),
    Check("peak-memory of a known peak", _peak),
    Check("multiply-adds of two convolutions", _convolution_work),
    Check("params in millions", lambda: _model_figure("params", "params_total", 1e6)),
    Check("macs in 10^12", lambda: _model_figure("macs", "macs_total", 1e12)),
    Check("flops in 10^12", lambda: _model_figure("flops", "flops_total", 1e12)),
    Check("lpips-vgg of identical frames", lambda: (_figure("lpips-vgg", _noise(), _noise()), 0.0, 1e-9), "lpips-vgg"),
    Check(
        "lpips-alex of identical frames", lambda: (_figure("lpips-alex", _noise(), _noise()), 0.0, 1e-9), "lpips-alex"
    ),
    Check(
        "lpips-alex-spatial of black and white",
        lambda: (_figure("lpips-alex-spatial", _video(BLACK, 1, 64), _video(WHITE, 1, 64)), 0.81400907, 1e-5),
        "lpips-alex-spatial",
    ),
    Check("fvd-i3d of black and white", _black_and_white_fvd, "fvd-i3d"),
]
"""Every self-check."""


def run_checks() -> Iterator[tuple[str, bool]]:
    """Run every check: a line to print, and whether it passed or had to be skipped."""
    for check in CHECKS:
        if (missing := check.skipped()) is not None:
            yield f"{check.name}: skipped, {missing.reason}: {missing.hint}", True
            continue
        measured, expected, tolerance = check.compute()
        passed = abs(measured - expected) <= tolerance
        verdict = "ok" if passed else "FAILED"
        yield f"{check.name}: {measured:.8g}, expected {expected:.8g} ± {tolerance:.0e}, {verdict}", passed
