"""Cosmos as a tokenizer from NVIDIA's TorchScript archives, as they are: one that encodes, one that decodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule

from ...errors import TokenizerError
from ...interface import Encoded, VideoTokenizer
from ...spec import InferenceSettings, TokenizerSpec
from ...trust.weight_files import load_torchscript


class CosmosTorchScriptTokenizer(VideoTokenizer):
    """A Cosmos variant in two archives, named by the card's checkpoint and its ``also``.

    The encoder gives (latent, …) for a continuous tokenizer and (indices, codes, …) for a discrete one; the decoder
    takes the latent, or the indices. Both compute in the data type of their weights: bfloat16 as shipped, which needs
    a CUDA device. Before :meth:`to` there are no modules, since archives are loaded onto the device they run on.

    Args:
        spec: what the card says.
        parameters: none.
        settings: how it is run; the precision is the archives' own.

    Raises:
        TokenizerError: if there are parameters.
    """

    supported_settings: ClassVar[frozenset[str]] = frozenset({"posterior", "seed"})

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        if parameters:
            raise TokenizerError(f"{spec.name}: TorchScript archives take no parameters, not {', '.join(parameters)}")
        self._files: tuple[Path, ...] = ()
        self._trusted = False
        self._archives: tuple[ScriptModule, ...] = ()

    def load_files(self, files: Sequence[Path], *, trusted: bool) -> None:
        """Take the encoder's and the decoder's archive; they are loaded by :meth:`to`.

        Raises:
            TokenizerError: if there aren't two, or they aren't trusted.
        """
        if len(files) != 2:
            raise TokenizerError(
                f"{self.spec.name}: the card names {len(files)} file, but there are two archives: the encoder's as "
                f'file, the decoder\'s as also = {{ file = "decoder.jit" }}'
            )
        self._files, self._trusted = tuple(files), trusted

    def to(self, device: str | torch.device) -> CosmosTorchScriptTokenizer:
        """Load the archives onto ``device``; traces may hold constants that can't be moved later.

        Raises:
            TokenizerError: if an archive isn't trusted or is damaged, or if the device is a CPU and it computes in
                half precision.
        """
        if self._files:
            self._archives = tuple(self._load(file, torch.device(device)) for file in self._files)
        return self

    def _load(self, file: Path, device: torch.device) -> ScriptModule:
        archive = load_torchscript(file, trusted=self._trusted, device=device).eval()
        for parameter in archive.parameters():
            parameter.requires_grad_(False)
        if device.type == "cpu" and _dtype_of(archive).itemsize < torch.float32.itemsize:
            raise TokenizerError(
                f"{self.spec.name}: {file.name} computes in {_dtype_of(archive)}, which torch can't on a CPU; use a "
                f"CUDA device, or the card without -torchscript"
            )
        return archive

    def modules(self) -> dict[str, nn.Module]:
        """The two archives, once they are loaded."""
        return dict(zip(("encoder", "decoder"), self._archives, strict=False))

    @property
    def dtype(self) -> torch.dtype:
        """The data type of the encoder's weights."""
        return _dtype_of(self._archive(0))

    def _archive(self, index: int) -> ScriptModule:
        if not self._archives:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_files and to")
        return self._archives[index]

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        outputs = self._archive(0)(video)
        if self.spec.codebook_size is None:
            return Encoded(latents=_first(outputs))
        indices, codes, *_ = outputs
        return Encoded(latents=codes, codes=(indices.long(),), codebook_sizes=(self.spec.codebook_size,))

    def _decode(self, encoded: Encoded) -> Tensor:
        decoder = self._archive(1)
        if self.spec.codebook_size is None:
            assert encoded.latents is not None
            return _first(decoder(encoded.latents.to(self.dtype)))
        (indices,) = encoded.codes
        return _first(decoder(indices.int()))


def _dtype_of(archive: ScriptModule) -> torch.dtype:
    return next((value.dtype for value in archive.parameters() if value.is_floating_point()), torch.float32)


def _first(outputs: Tensor | Sequence[Tensor]) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]
