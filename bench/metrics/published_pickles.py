"""Weights of metrics that are published as pickles: their addresses, what is in them, and their licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .video_transformers import VIT_GIANT_14, VIT_HUGE_16, VideoMae, VJepaFeatures

OPTION = "--accept-licence"
"""What accepts a licence on the command line."""


@dataclass(frozen=True)
class PickledPart:
    """A published pickle, and the state dict in it."""

    file_name: str
    urls: tuple[str, ...]
    """Where it can be fetched; tried in order. It is pinned under the first one."""
    keys: tuple[str, ...]
    """Where the state dict lies in the pickle; the first one that is there."""
    stripped: tuple[str, ...] = ()
    """What is taken off the front of its names."""
    prefix: str = ""
    """What is put in front of them then: the part's place in the network."""


@dataclass(frozen=True)
class ConvertedWeights:
    """The weights of a metric's network, made from one or more pickles."""

    name: str
    """What the command line calls it: a metric that needs it."""
    file_name: str
    """Name of the safetensors file."""
    parts: tuple[PickledPart, ...]
    network: Callable[[], nn.Module]
    """Makes the network whose state dict it is."""
    purpose: str
    """What it is for, in words."""
    licence: str
    """Its name, and where it is."""

    @property
    def hint(self) -> str:
        """The command that brings it."""
        return f"toklab weights pull {self.name} {OPTION}"

    @property
    def pinned_as(self) -> str:
        """What the safetensors file is pinned by."""
        return f"converted/{self.file_name}"


VJEPA_FOLDER = "https://dl.fbaipublicfiles.com/jepa/vith16"
VIDEOMAE_FILE = "mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth"

JEDI_VJEPA = ConvertedWeights(
    name="jedi",
    file_name="jedi-vjepa-h16-ssv2.safetensors",
    parts=(
        PickledPart(
            "vith16.pth.tar",
            (f"{VJEPA_FOLDER}/vith16.pth.tar",),
            keys=("target_encoder", "encoder"),
            stripped=("module.", "backbone."),
            prefix="encoder.",
        ),
        PickledPart(
            "ssv2-probe.pth.tar",
            (f"{VJEPA_FOLDER}/ssv2-probe.pth.tar",),
            keys=("classifier",),
            stripped=("module.",),
            prefix="probe.",
        ),
    ),
    network=lambda: VJepaFeatures(VIT_HUGE_16),
    purpose="V-JEPA ViT-H/16 and its Something-Something v2 probe, of JEDi",
    licence="CC BY-NC 4.0, not for commercial use (https://github.com/facebookresearch/jepa/blob/main/LICENSE)",
)
FVD_VIDEOMAE = ConvertedWeights(
    name="fvd-videomae-g-ssv2",
    file_name="videomae-g-ssv2.safetensors",
    parts=(
        PickledPart(
            "vit_g_hybrid_pt_1200e_ssv2_ft.pth",
            tuple(
                f"https://huggingface.co/OpenGVLab/{repository}/resolve/main/{VIDEOMAE_FILE}"
                for repository in ("InternVideoMAE_models", "VideoMAE2")
            ),
            keys=("model", "module"),
        ),
    ),
    network=lambda: VideoMae(VIT_GIANT_14),
    purpose="VideoMAE v2 ViT-g/14, fine-tuned on Something-Something v2, of content-debiased FVD",
    licence=(
        "not clear: its publisher's pages say Apache-2.0 and CC BY-NC 4.0, so take it as not for commercial use "
        "(https://huggingface.co/OpenGVLab/VideoMAE2)"
    ),
)
CONVERTED_WEIGHTS: dict[str, ConvertedWeights] = {weights.name: weights for weights in (JEDI_VJEPA, FVD_VIDEOMAE)}
"""Every such weights by name."""
