"""Vector quantization (van den Oord et al. 2017, arXiv:1711.00937): every position takes the nearest code vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..autocast import without_autocast
from ..distributed import same_on_all_processes, sum_over_processes
from .entropy import INVERSE_TEMPERATURE, codebook_entropies
from .interface import Quantization, Quantizer, straight_through

CodebookUpdate = Literal["learned", "ema"]

CHUNK_ELEMENTS = 2**22
"""Elements of the largest tensor of distances that is made at once (16 MiB)."""

MIN_CODE_COUNT = 1e-6
"""A moving count below it leaves the code vector where it is: averages this small have lost their digits."""


@torch.no_grad()
def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Index (N,), int64, of the code vector of (K, D) nearest to each of (N, D) by Euclidean distance.

    The first of equally near ones. Computed in chunks of positions; no tensor is of N × K.
    """
    num_codes = len(codebook)
    num_positions = min(len(vectors), max(1, CHUNK_ELEMENTS // num_codes))
    squared_norms = codebook.square().sum(-1)
    indices = torch.empty(len(vectors), dtype=torch.int64, device=vectors.device)
    # One buffer for all chunks: allocated anew for each, they fragment the heap to the size of N × K.
    distances = vectors.new_empty(num_positions, num_codes)
    for chunk, found in zip(vectors.split(num_positions), indices.split(num_positions), strict=True):
        torch.addmm(squared_norms, chunk, codebook.T, alpha=-2, out=distances[: len(chunk)])
        torch.argmin(distances[: len(chunk)], dim=-1, out=found)
    return indices


class VectorQuantizer(Quantizer):
    """Discrete latents, one of ``codebook_size`` vectors of ``dim`` channels a position; computed in float32.

    The codebook is drawn from U(-1/K, 1/K). State-dict keys: ``codebook`` (K, dim), a parameter if learned and a buffer
    under moving averages; ``code_counts`` (K,), the moving average of positions a batch assigned to each code, under
    moving averages or revival; ``code_sums`` (K, dim), that of the sum of their features, under moving averages.

    Args:
        codebook_size: K.
        dim: channels of the features.
        codebook_update: ``learned``: by gradients of the codebook term; ``ema``: by moving averages, in :meth:`update`.
        decay: of the moving averages.
        revival_threshold: in :meth:`update`, codes whose moving count is below it are set to features of the batch
            drawn at random, with the count max(1, threshold); 0 leaves them.
        codebook_loss_weight: weight of the codebook term, where the codebook is learned.
        commitment_loss_weight: weight of the commitment term; the default is van den Oord's β.
        entropy_loss_weight: weight of the entropy terms of :mod:`.entropy`; 0 leaves them out.
        diversity_gamma: weight of the codebook's entropy against the positions'.
        inverse_temperature: β of the soft assignment in the entropy terms.

    Raises:
        ValueError: on an unknown update, or sizes or a decay out of range.
    """

    codebook: Tensor
    code_counts: Tensor
    code_sums: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        codebook_update: CodebookUpdate = "learned",
        decay: float = 0.99,
        revival_threshold: float = 0.0,
        codebook_loss_weight: float = 1.0,
        commitment_loss_weight: float = 0.25,
        entropy_loss_weight: float = 0.0,
        diversity_gamma: float = 1.0,
        inverse_temperature: float = INVERSE_TEMPERATURE,
    ):
        super().__init__()
        if codebook_update not in ("learned", "ema"):
            raise ValueError(f"codebook_update is 'learned' or 'ema', not {codebook_update!r}")
        if codebook_size < 1 or dim < 1 or not 0 <= decay < 1:
            raise ValueError(
                f"VQ needs codebook_size and dim of at least 1 and a decay in [0, 1), "
                f"not {codebook_size}, {dim} and {decay}"
            )
        self.codebook_sizes = (codebook_size,)
        self.codebook_update = codebook_update
        self.decay = decay
        self.revival_threshold = revival_threshold
        self.codebook_loss_weight = codebook_loss_weight
        self.commitment_loss_weight = commitment_loss_weight
        self.entropy_loss_weight = entropy_loss_weight
        self.diversity_gamma = diversity_gamma
        self.inverse_temperature = inverse_temperature
        codebook = torch.empty(codebook_size, dim).uniform_(-1 / codebook_size, 1 / codebook_size)
        if codebook_update == "learned":
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
            self.register_buffer("code_sums", codebook.clone())
        if codebook_update == "ema" or revival_threshold > 0:
            self.register_buffer("code_counts", torch.ones(codebook_size))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Quantize features (B, dim, t, h, w); ``noise`` has no effect."""
        with without_autocast(features):
            vectors = features.movedim(1, -1).float()
            indices = nearest_codes(vectors.flatten(0, -2), self.codebook.float())
            indices = indices.view(vectors.shape[:-1])
            latents = straight_through(vectors, self.codebook.detach().float()[indices])
            return Quantization(latents.movedim(-1, 1).to(features.dtype), (indices,))

    def latents_of(self, codes: Sequence[Tensor]) -> Tensor:
        """Latents (B, dim, t, h, w), float32, of one tensor of indices (B, t, h, w)."""
        (indices,) = codes
        return self.codebook[indices.long()].movedim(-1, 1).float()

    def loss_weights(self, step: int) -> dict[str, float]:
        """Constant."""
        return {
            "codebook": self.codebook_loss_weight,
            "commitment": self.commitment_loss_weight,
            "per_sample_entropy": self.entropy_loss_weight,
            "codebook_entropy": -self.entropy_loss_weight * self.diversity_gamma,
        }

    def _loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """``commitment``, ``codebook`` if it is learned, and ``per_sample_entropy`` and ``codebook_entropy`` (nats).

        The first two are the mean squared distance of the features to their code vectors, with gradients to the
        features and to the codebook (equation 3 of the paper).
        """
        with without_autocast(features):
            vectors = features.movedim(1, -1).float().flatten(0, -2)
            codebook = self.codebook.float()
            chosen = codebook[quantization.codes[0].flatten()]
            terms = {"commitment": (vectors - chosen.detach()).square().mean()}
            if self.codebook_update == "learned":
                terms["codebook"] = (chosen - vectors.detach()).square().mean()
            if self.entropy_loss_weight > 0:
                entropies = codebook_entropies(vectors, codebook, self.inverse_temperature)
                terms |= {"per_sample_entropy": entropies.per_sample, "codebook_entropy": entropies.codebook}
            return terms

    def _update(self, features: Tensor, quantization: Quantization, generator: torch.Generator | None) -> None:
        """Appendix A.1 of the paper: moving averages N_i and m_i of counts and sums, then code vector m_i / N_i.

        Counts and sums are those of all processes together; revived codes take the features of process 0.
        """
        if "code_counts" not in self._buffers:
            return
        vectors = features.movedim(1, -1).float().flatten(0, -2)
        indices = quantization.codes[0].flatten()
        counts = torch.zeros_like(self.code_counts).index_add_(0, indices, torch.ones_like(vectors[:, 0]))
        self.code_counts.lerp_(sum_over_processes(counts), 1 - self.decay)
        if self.codebook_update == "ema":
            sums = torch.zeros_like(self.code_sums).index_add_(0, indices, vectors)
            self.code_sums.lerp_(sum_over_processes(sums), 1 - self.decay)
            used = self.code_counts >= MIN_CODE_COUNT
            self.codebook[used] = self.code_sums[used] / self.code_counts[used].unsqueeze(-1)
        if self.revival_threshold > 0:
            self._revive(vectors, generator)

    def _revive(self, vectors: Tensor, generator: torch.Generator | None) -> None:
        dead = self.code_counts < self.revival_threshold
        picks = torch.randint(len(vectors), (int(dead.sum()),), generator=generator)
        revived = same_on_all_processes(vectors[picks.to(vectors.device)])
        count = max(1.0, self.revival_threshold)
        self.codebook.detach()[dead] = revived
        self.code_counts[dead] = count
        if self.codebook_update == "ema":
            self.code_sums[dead] = revived * count
