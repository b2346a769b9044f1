"""Valid figures from the fields that matter to a test, and those of a demo run.

The run is as the harness would report it: tiny models with random weights, two baselines, metrics that lack weights.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from toklab.reports.schema import Figure

METRICS: dict[str, dict[str, Any]] = {
    "psnr": {"title": "PSNR", "direction": "higher", "unit": "dB", "decimals": 2, "ends": (20.0, 40.0)},
    "ssim": {"title": "SSIM", "direction": "higher", "decimals": 4, "ends": (0.6, 1.0)},
    "lpips-vgg": {"title": "LPIPS", "direction": "lower", "decimals": 4, "ends": (0.5, 0.0)},
    "fvd-i3d": {"title": "FVD", "direction": "lower", "decimals": 1, "ends": (500.0, 0.0)},
    "flicker": {"title": "Flicker", "direction": "lower", "decimals": 4, "ends": (0.05, 0.0)},
    "params": {"title": "Params", "direction": "lower", "unit": "M", "decimals": 1, "ends": (400.0, 0.0)},
    "bpp": {"title": "bpp", "direction": "none", "unit": "bit/px", "decimals": 4},
}
"""What a figure says of its metric; ``ends`` are those of the radar scale."""

PROTOCOL_HASH = "0123456789ab"


def make_figure(metric: str = "psnr", tokenizer: str = "model", **fields: Any) -> Figure:
    """A figure of a continuous tokenizer on the sample; without a value it is unavailable."""
    facts = dict(METRICS[metric])
    low, high = facts.pop("ends", (math.nan, math.nan))
    usual: dict[str, Any] = {
        "system": "System",
        "label": tokenizer,
        "regularizer": "KL - 4chn",
        "group": "continuous-4",
        "weights": "official",
        "dataset": "sample",
        "protocol": "vidtok",
        "protocol_hash": PROTOCOL_HASH,
        "display_low": low,
        "display_high": high,
    }
    return Figure(**{"metric": metric, "tokenizer": tokenizer, **usual, **facts, **fields})


TOKENIZERS = [
    ("VidTok tiny", "vidtok-tiny-fsq-262144", "FSQ - 262,144", "discrete", "random (seed 0)"),
    ("H.264 (x264 slow)", "h264-262144", "codec", "discrete", "none"),
    ("VidTok tiny", "vidtok-tiny-kl-4chn", "KL - 4chn", "continuous-4", "random (seed 0)"),
    ("Bicubic", "bicubic-4chn", "resize", "continuous-4", "none"),
    ("VidTok tiny", "vidtok-tiny-kl-16chn", "KL - 16chn", "continuous-16", "random (seed 0)"),
    ("Bicubic", "bicubic-16chn", "resize", "continuous-16", "none"),
]

VALUES = {
    "vidtok-tiny-fsq-262144": {"psnr": 9.21, "ssim": 0.231, "flicker": 0.021, "params": 0.9},
    "h264-262144": {"psnr": 34.87, "ssim": 0.931, "flicker": 0.009},
    "vidtok-tiny-kl-4chn": {"psnr": 9.68, "ssim": 0.243, "flicker": 0.022, "params": 0.9},
    "bicubic-4chn": {"psnr": 25.93, "ssim": 0.741, "flicker": 0.012},
    "vidtok-tiny-kl-16chn": {"psnr": 9.95, "ssim": 0.252, "flicker": 0.021, "params": 0.9},
    "bicubic-16chn": {"psnr": 29.32, "ssim": 0.852, "flicker": 0.010},
}

HALF_WIDTHS = {"psnr": 0.5, "ssim": 0.004}
"""Of the intervals; other metrics have none."""

HINT = {"lpips-vgg": "toklab weights pull lpips-vgg", "fvd-i3d": "toklab weights pull fvd-i3d"}


def demo_figures() -> list[Figure]:
    """A demo run on one dataset; LPIPS and FVD lack their weights."""
    found = []
    for system, name, regularizer, group, weights in TOKENIZERS:
        for metric in METRICS:
            value = VALUES[name].get(metric, math.nan)
            if math.isnan(value) and metric not in HINT:
                continue
            half = HALF_WIDTHS.get(metric, math.nan)
            built = make_figure(
                metric=metric,
                system=system,
                tokenizer=name,
                label=name,
                regularizer=regularizer,
                group=group,
                weights=weights,
                value=value,
                low=value - half,
                high=value + half,
                count=408,
                counted="frames",
                note="the backbone's weights are not on this machine" if math.isnan(value) else "",
                hint=HINT.get(metric, ""),
            )
            if (metric, name) == ("psnr", "h264-262144"):
                built = replace(built, rank="best", rank_low=1, rank_high=1)
            elif (metric, name) == ("psnr", "vidtok-tiny-fsq-262144"):
                built = replace(built, rank="second", rank_low=2, rank_high=2)
            of_model = metric == "params"
            found.append(
                replace(built, dataset="", protocol="", protocol_hash="", count=0, counted="") if of_model else built
            )
    return found
