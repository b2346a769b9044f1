"""Valid figures from the fields that matter to a test."""

from __future__ import annotations

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
    low, high = facts.pop("ends", (float("nan"), float("nan")))
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
