"""Modules of Hugging Face's diffusers, an extra that some baselines take their networks from."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

from ..adapters import install_command
from ..errors import TokenizerError

INSTALL = install_command("diffusers")


def diffusers_module(name: str, owner: str) -> ModuleType:
    """Import a module of diffusers.

    Args:
        name: the module's, such as ``diffusers.models.autoencoders.autoencoder_kl``.
        owner: the tokenizer that needs it, for the message.

    Raises:
        TokenizerError: with the command that installs diffusers, if it can't be imported.
    """
    try:
        # Networks are built on the meta device, where the module's constants would stay for its other users too.
        with torch.device("cpu"):
            return importlib.import_module(name)
    except ImportError as error:
        raise TokenizerError(f"{owner}: diffusers can't be imported ({error}). {INSTALL}") from error
