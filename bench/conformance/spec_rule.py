"""The rule on the spec: what comes out of the encoder is what the spec promises."""

from __future__ import annotations

import math

import torch

from ...tokenizers.interface import Encoded, TokenizerSpec
from .adapter_probe import Probe
from .judgement import PASSED, Judgement, failed


def check_spec(probe: Probe) -> Judgement:
    """What comes out of the encoder is what the spec promises: shapes, codebooks, ranges, bits."""
    tokenizer = probe.tokenizer
    spec = tokenizer.spec
    num_frames = probe.legal_length(probe.first + probe.step)
    encoded = probe.encode(torch.cat([probe.clip(num_frames, seed) for seed in (0, 1)]), (0, 1))
    problems = [
        *_shape_problems(spec, encoded, tokenizer.legal_shape(num_frames, probe.side, probe.side)),
        *_code_problems(spec, encoded),
        *_bit_problems(spec, encoded),
    ]
    return failed("; ".join(problems)) if problems else PASSED


def _shape_problems(spec: TokenizerSpec, encoded: Encoded, legal: tuple[int, int, int]) -> list[str]:
    if spec.regularizer == "codec":
        return [] if len(encoded.bitstreams) == 2 else [f"{len(encoded.bitstreams)} bitstreams for 2 clips"]
    if encoded.latents is None:
        return ["the encoding holds no latents"]
    problems = []
    num_frames, height, width = legal
    first = 1 if spec.causal else 0
    frames = first + math.ceil((num_frames - first) / spec.temporal_compression)
    rows, columns = (math.ceil(side / spec.spatial_compression) for side in (height, width))
    shape = tuple(encoded.latents.shape)
    if len(shape) != 5 or shape[0] != 2:
        return [f"latents have the shape {shape} instead of (B, C, t, h, w) with B = 2"]
    # A resized clip has as many values as the latent, but a shape of its own.
    if spec.regularizer != "resize" and shape[2:] != (frames, rows, columns):
        problems.append(
            f"latents have (t, h, w) = {shape[2:]} where the spec's compression gives {frames, rows, columns}"
        )
    if spec.regularizer != "resize" and spec.latent_channels not in (None, shape[1]):
        problems.append(f"latents have {shape[1]} channels, the spec says {spec.latent_channels}")
    problems += [
        f"codes have the shape {tuple(codes.shape)} beside latents of {shape}"
        for codes in encoded.codes
        if spec.num_codebooks == 1 and tuple(codes.shape) != (shape[0], *shape[2:])
    ]
    return problems


def _code_problems(spec: TokenizerSpec, encoded: Encoded) -> list[str]:
    expected = spec.num_codebooks if spec.is_discrete else 0
    if len(encoded.codes) != expected:
        return [f"{len(encoded.codes)} tensors of codes where the spec says {expected} codebooks"]
    problems = []
    if spec.codebook_size is not None and encoded.codebook_sizes != (spec.codebook_size,) * expected:
        problems.append(f"codebook sizes are {encoded.codebook_sizes}, the spec says {expected} × {spec.codebook_size}")
    if spec.codebook_levels and math.prod(spec.codebook_levels) != spec.codebook_size:
        problems.append(f"levels {spec.codebook_levels} don't multiply to the codebook size {spec.codebook_size}")
    for codes, size in zip(encoded.codes, encoded.codebook_sizes, strict=False):
        if codes.is_floating_point() or codes.is_complex():
            problems.append(f"codes are {codes.dtype}, no integers")
        elif int(codes.min()) < 0 or int(codes.max()) >= size:
            problems.append(f"codes lie in {int(codes.min())} … {int(codes.max())}, outside 0 … {size - 1}")
    return problems


def _bit_problems(spec: TokenizerSpec, encoded: Encoded) -> list[str]:
    problems = []
    if len(encoded.bits) != 2 or not all(bits > 0 for bits in encoded.bits):
        problems.append(f"bits of two clips are {encoded.bits}")
    if spec.regularizer == "kl":
        nats = encoded.kl_nats
        if nats is None:
            problems.append("a KL tokenizer gives no kl_nats")
        elif nats.shape != (2,) or not (nats.isfinite() & (nats >= 0)).all():
            problems.append(f"kl_nats are {nats.tolist()}, not one non-negative number a clip")
    return problems
