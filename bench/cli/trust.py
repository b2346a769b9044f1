"""The options `--trust-torchscript` and `--trust-cards`, shared by the commands that run tokenizers."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def _trust_torchscript(trusted: bool) -> bool:
    """Set the environment variable, which reaches every place where archives are loaded."""
    if trusted:
        from ...tokenizers.trust.weight_files import TRUST_VARIABLE

        os.environ[TRUST_VARIABLE] = "1"
    return trusted


def _trust_cards(trusted: bool) -> bool:
    """Set the environment variable, which reaches every place where cards become tokenizers."""
    if trusted:
        from ...tokenizers.trust.cards import TRUST_VARIABLE

        os.environ[TRUST_VARIABLE] = "1"
    return trusted


TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-torchscript",
        callback=_trust_torchscript,
        help="Load TorchScript archives, which are code, whose SHA-256 no card gives.",
    ),
]
TrustCardsOption = Annotated[
    bool,
    typer.Option(
        "--trust-cards",
        callback=_trust_cards,
        help="Run cards and recipes that name code: an adapter outside toklab, a checkout, an interpreter.",
    ),
]
