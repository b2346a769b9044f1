"""A run as the harness would report it: tiny models with random weights, two baselines, metrics that lack weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from toklab.reports.schema import Figure, results_frame

METRICS: dict[str, dict[str, object]] = {
    "psnr": {"title": "PSNR", "direction": "higher", "unit": "dB", "decimals": 2, "display": (20.0, 40.0), "half": 0.5},
    "ssim": {"title": "SSIM", "direction": "higher", "unit": "", "decimals": 4, "display": (0.6, 1.0), "half": 0.004},
    "lpips-vgg": {"title": "LPIPS", "direction": "lower", "unit": "", "decimals": 4, "display": (0.5, 0.0), "half": 0},
    "fvd-i3d": {"title": "FVD", "direction": "lower", "unit": "", "decimals": 1, "display": (500.0, 0.0), "half": 0},
    "flicker": {"title": "Flicker", "direction": "lower", "unit": "", "decimals": 4, "display": (0.05, 0.0), "half": 0},
    "params": {"title": "Params", "direction": "lower", "unit": "M", "decimals": 1, "display": (400.0, 0.0), "half": 0},
}

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

HINT = {"lpips-vgg": "toklab weights pull lpips-vgg", "fvd-i3d": "toklab weights pull fvd-i3d"}


@pytest.fixture
def figure() -> Callable[..., Figure]:
    """Build one valid figure from the fields that matter to a test."""

    def build(**fields: object) -> Figure:
        metric = str(fields.pop("metric", "psnr"))
        facts = METRICS[metric]
        low, high = facts["display"]  # pyright: ignore[reportGeneralTypeIssues]
        name = str(fields.get("tokenizer", "model"))
        defaults: dict[str, object] = {
            "system": "System",
            "tokenizer": name,
            "label": name,
            "regularizer": "KL - 4chn",
            "group": "continuous-4",
            "weights": "official",
            "dataset": "sample",
            "protocol": "vidtok",
            "protocol_hash": "0123456789ab",
            "metric": metric,
            "title": facts["title"],
            "direction": facts["direction"],
            "unit": facts["unit"],
            "decimals": facts["decimals"],
            "display_low": low,
            "display_high": high,
        }
        return Figure(**(defaults | fields))  # pyright: ignore[reportArgumentType]

    return build


@pytest.fixture
def figures(figure: Callable[..., Figure]) -> list[Figure]:
    """A demo run on one dataset; LPIPS and FVD lack their weights."""
    found = []
    for system, name, regularizer, group, weights in TOKENIZERS:
        for metric, facts in METRICS.items():
            value = VALUES[name].get(metric, math.nan)
            if math.isnan(value) and metric not in HINT:
                continue
            half = float(str(facts["half"])) or math.nan
            built = figure(
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


@pytest.fixture
def frame(figures: list[Figure]) -> pd.DataFrame:
    """The demo run as a results table."""
    return results_frame(figures)
