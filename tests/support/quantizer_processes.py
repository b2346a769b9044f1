"""Work on quantizers that tests run in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from peak_memory import peak_resident_bytes
from toklab.tokenizers.networks.quantizers.entropy import product_entropies
from toklab.tokenizers.networks.quantizers.factory import build_quantizer
from torch import Tensor, distributed

VALUES = [torch.tensor([-1.0, -0.5, 0.0, 0.5])] * 3


def entropy_gradient(scale: Tensor, features: Tensor) -> Tensor:
    """Gradient of the entropy loss of ``scale`` · ``features`` to ``scale``."""
    scale = scale.clone().requires_grad_()
    entropies = product_entropies(scale * features, VALUES, inverse_temperature=2.0)
    (gradient,) = torch.autograd.grad(entropies.per_sample - entropies.codebook, scale)
    return gradient


def updated_codebook(features: Tensor, revival_threshold: float) -> Tensor:
    """The codebook of a seeded quantizer after one update on features (1, D, t, h, w)."""
    torch.manual_seed(0)
    quantizer = build_quantizer(
        "vq",
        codebook_size=16,
        dim=features.shape[1],
        codebook_update="ema",
        decay=0.5,
        revival_threshold=revival_threshold,
    )
    quantizer.train()
    rank = distributed.get_rank() if distributed.is_initialized() else 0
    quantizer.update(features, quantizer(features), torch.Generator().manual_seed(rank))
    return quantizer.state_dict()["codebook"]


def run_rank(rank: int, world_size: int, folder: Path) -> None:
    """One process of a gloo group: what it computes on its share of ``features.pt`` goes to ``rank<rank>.pt``."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size)
    features = torch.load(folder / "features.pt")
    share = features.chunk(world_size)[rank]
    latents = share.T.reshape(1, -1, len(share), 1, 1)
    results = {
        "gradient": entropy_gradient(torch.ones(3), share),
        "ema": updated_codebook(latents, 0.0),
        "revived": updated_codebook(latents, 0.6),
    }
    torch.save(results, folder / f"rank{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()
    # gloo's threads may still run while Python shuts down, and C++ aborts the process then.
    os._exit(0)


def loss_memory_growth(name: str, parameters: dict[str, Any], shape: tuple[int, ...]) -> int:
    """Bytes by which the peak memory of a fresh Linux process grows over a loss and its backward pass."""
    torch.set_num_threads(1)
    quantizer = build_quantizer(name, **parameters).train()
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    quantization = quantizer(features)
    before = peak_resident_bytes()
    quantizer.loss(features, quantization, 0).backward()
    return peak_resident_bytes() - before
