"""Small models with random weights in place of those of the suite ``table1``, in the real formats of their files."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import torch
from cosmos_archives import OfficialNames
from safetensors.torch import save_file
from tiny_autoencoders import tiny_card
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.trust.weight_files import sha256_of
from torch import nn

COGVIDEOX = "cogvideox-2b"


def _lightning(model: nn.Module, path: Path) -> None:
    """With what a training engine keeps beside the network."""
    state = {**model.state_dict(), "loss.discriminator.weight": torch.ones(2)}
    torch.save({"state_dict": state, "epoch": 1, "global_step": 2, "hyper_parameters": {"lr": 1e-4}}, path)


def _averaged(model: nn.Module, path: Path) -> None:
    """With averaged weights, whose names have no dots, beside the last ones."""
    averaged = {f"model_ema.{name.replace('.', '')}": value for name, value in model.state_dict().items()}
    last = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    torch.save({"state_dict": last | averaged, "epoch": 1}, path)


def _with_namespace(model: nn.Module, path: Path) -> None:
    state = {**model.state_dict(), "image_discriminator.weight": torch.ones(2)}
    torch.save({"state_dict": state, "hyper_parameters": {"args": Namespace(lr=1e-4)}}, path)


def _parallel(model: nn.Module, path: Path) -> None:
    averaged = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"ema_state_dict": averaged}, path)


def _safetensors(model: nn.Module, path: Path) -> None:
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def _archive(model: nn.Module, path: Path) -> None:
    torch.jit.script(OfficialNames(model)).save(str(path))


STAND_INS: dict[str, tuple[str, str, Callable[[nn.Module, Path], None]]] = {
    "open-magvit2-video": ("open-magvit2-tiny", ".ckpt", _averaged),
    "omnitokenizer-vq": ("omnitokenizer-tiny-vq", ".ckpt", _with_namespace),
    "cosmos-dv-4x8x8": ("cosmos-tiny-dv", ".jit", _archive),
    "vidtok_fsq_causal_488_32768": ("vidtok-tiny-fsq-32768", ".ckpt", _lightning),
    "vidtok_fsq_causal_488_262144": ("vidtok-tiny-fsq-262144", ".ckpt", _lightning),
    "cv-vae": ("cv-vae-tiny-4chn", ".safetensors", _safetensors),
    "opensora-v1.2": ("opensora-tiny", ".safetensors", _safetensors),
    "opensora-plan-v1.2": ("opensora-plan-tiny", ".ckpt", _parallel),
    "vidtok_kl_causal_488_4chn": ("vidtok-tiny-kl-4chn", ".ckpt", _lightning),
    "cosmos-cv-4x8x8": ("cosmos-tiny-cv", ".jit", _archive),
    "vidtok_kl_causal_488_16chn": ("vidtok-tiny-kl-16chn", ".ckpt", _lightning),
}
"""Card of the suite → the shipped small card, suffix of the file, and what writes it."""


def write_stand_ins(folder: Path) -> dict[str, str]:
    """Write cards and checkpoints into ``folder``; gives the stand-in's name by the name of the suite's card."""
    names = {name: f"{name}-stand-in" for name in (*STAND_INS, COGVIDEOX)}
    shipped = load_cards()
    for target, (small, suffix, save) in STAND_INS.items():
        path = folder / f"{target}{suffix}"
        save(build_tokenizer(shipped[small]).model, path)  # pyright: ignore[reportAttributeAccessIssue]
        text = (resources.files("toklab.tokenizers.cards") / f"{small}.toml").read_text()
        checkpoint = f'[checkpoint]\npath = "{path.name}"\nsha256 = "{sha256_of(path)}"'
        text = re.sub(r"\[checkpoint\]\nrandom_seed = \d+", checkpoint, text)
        _write_card(folder, target, small, text)
    card = tiny_card(COGVIDEOX, folder)
    _write_card(folder, COGVIDEOX, card.name, Path(str(card.source)).read_text())
    Path(str(card.source)).unlink()
    return names


def _write_card(folder: Path, target: str, small: str, text: str) -> None:
    new = f'name = "{target}-stand-in"\nstand_in_for = "{target}"'
    (folder / f"{target}.toml").write_text(text.replace(f'name = "{small}"', new, 1))
