"""The option `--trust-torchscript`, shared by the commands that run tokenizers."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def _remember(trusted: bool) -> bool:
    """Set the environment variable, which reaches every place where archives are loaded."""
    if trusted:
        from ...tokenizers.checkpoints import TRUST_VARIABLE

        os.environ[TRUST_VARIABLE] = "1"
    return trusted


TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-torchscript",
        callback=_remember,
        help="Load TorchScript archives, which are code, whose SHA-256 no card gives.",
    ),
]
