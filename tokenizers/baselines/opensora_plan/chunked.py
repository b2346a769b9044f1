"""CausalVAE's own way with long or large clips: chunks that share a frame, each in tiles that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from ...errors import TokenizerError
from ...networks.ldm.chunks import Chunk, OfficialTiling, overlapping_chunks, run_chunks
from ...spec import InferenceSettings, TokenizerSpec


@dataclass(frozen=True)
class ChunkRule:
    """The official tiling of one direction, encoding or decoding; it applies where a clip exceeds either limit."""

    chunk: int
    """Frames of the input from the start of one chunk to that of the next; 0: the clip is one chunk."""
    tiling: OfficialTiling | None
    """Tiles of each frame; ``None``: frames go through whole."""

    def run(self, run: Callable[[Tensor], Tensor], pieces: Iterable[Tensor], multiple: int = 1) -> Iterator[Tensor]:
        """Apply ``run`` to pieces (B, C, T, H, W) of one clip.

        ``multiple`` is the length to which the clip is filled, as in :func:`overlapping_chunks`.
        """

        def run_chunk(chunk: Chunk) -> Tensor:
            exceeds = not (chunk.starts and chunk.ends)
            if self.tiling is None or not (exceeds or max(chunk.values.shape[3:]) > self.tiling.size):
                return run(chunk.values)
            return self.tiling.run(run, chunk.values)

        return run_chunks(run_chunk, overlapping_chunks(pieces, self.chunk, multiple))


def chunk_rules(settings: InferenceSettings, spec: TokenizerSpec) -> tuple[ChunkRule, ChunkRule]:
    """How settings make the network encode and decode.

    Raises:
        TokenizerError: if chunks or tiles don't lie on the grid of latent positions, or must be exact.
    """
    for name, factor in (
        ("chunk_frames", spec.temporal_compression),
        ("tile_size", spec.spatial_compression),
        ("tile_overlap", spec.spatial_compression),
    ):
        if getattr(settings, name) % factor:
            raise TokenizerError(f"{spec.name}: {name} must be a multiple of {factor}, not {getattr(settings, name)}")
    if settings.chunk_frames and settings.chunk_mode != "official":
        raise TokenizerError(
            f"{spec.name}: its norms see the whole clip, so chunks can't be exact; set chunk_mode=official too"
        )
    space, time = spec.spatial_compression, spec.temporal_compression
    size, overlap = settings.tile_size, settings.tile_overlap
    encoding = decoding = None
    if size:
        latent_size, latent_overlap = size // space, overlap // space
        encoding = OfficialTiling(size, size - overlap, latent_size - latent_overlap, latent_overlap, False)
        decoding = OfficialTiling(latent_size, latent_size - latent_overlap, size - overlap, overlap, False)
    return ChunkRule(settings.chunk_frames, encoding), ChunkRule(settings.chunk_frames // time, decoding)
