"""`toklab reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import say
from .suite_options import CardsOption, OneSettingOption
from .trust import TrustCardsOption, TrustOption


def reconstruct(
    video: Annotated[Path, typer.Argument(help="A video file, an image, or a folder of frames.")],
    tokenizer: Annotated[list[str], typer.Option("--tokenizer", "-t", help="Tokenizer; repeat for several.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Video file to write.")],
    set_: OneSettingOption = None,
    cards: CardsOption = None,
    height: Annotated[int, typer.Option(min=16, help="Height of a pane; the short side is scaled to it.")] = 256,
    width: Annotated[int, typer.Option(min=16, help="Width of a pane, cropped from the centre.")] = 256,
    windows: Annotated[int | None, typer.Option(min=1, help="Only so many windows of 17 frames.")] = None,
    device: Annotated[str, typer.Option()] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file.")] = False,
    trust_torchscript: TrustOption = False,
    trust_cards: TrustCardsOption = False,
) -> None:
    """Reconstruct a video and see it beside the original: labelled panes, error maps, PSNR of every frame.

    Example:

        toklab reconstruct clip.mp4 -t vidtok_kl_causal_488_4chn -t bicubic-4chn -o side.mp4
    """
    from ..execution.side_by_side import reconstruct_side_by_side

    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists; give --overwrite to replace it")
    summary = reconstruct_side_by_side(
        video,
        tokenizer,
        out,
        settings=set_ or [],
        card_folders=tuple(cards or ()),
        size=(height, width),
        max_windows=windows,
        device=device,
    )
    for label, psnr in summary.items():
        say(f"{label}: {psnr:.2f} dB")
    say(str(out))


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(reconstruct)
