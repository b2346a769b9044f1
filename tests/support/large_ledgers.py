"""Made-up run folders of any length: what a report of many tokenizers on many windows has to read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from toklab.bench.ledger.cell_files import CellFiles
from toklab.bench.ledger.ledger import Ledger, pack_arrays
from toklab.bench.ledger.plans import Plan, clip_digest, write_plan
from toklab.bench.ledger.records import CellFile, CellRecord, Measurement, ReferenceMeasurement, Row, RunRecord
from toklab.bench.metrics.interface import Arrays
from toklab.bench.planning.cell import reference_identity
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.interface import InferenceSettings

READER, MACHINE, RUN = "pyav", "a made-up machine", "made-up"
FEATURES, CODES = "features-i3d-stylegan-v-squash", "code-counts"
LEVELS = (8, 8, 8, 8, 8, 8)


@dataclass(frozen=True)
class LargeLedger:
    """How much a made-up run folder holds."""

    num_tokenizers: int = 20
    num_videos: int = 5_000
    windows_per_video: int = 10
    num_discrete: int = 4
    """Tokenizers with codes."""
    tokens_per_window: int = 1_280
    num_with_features: int = 2_000
    """Windows with features for FVD."""
    num_frames: int = 17

    def write(self, folder: Path) -> None:
        """Write the run folder, cell by cell; memory doesn't grow with the number of windows."""
        protocol = load_protocol("vidtok")
        with Ledger(folder, write=True) as ledger:
            ledger.record(RunRecord(RUN, "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", {"versions": {}}))
            features = self._features(np.random.default_rng(0))
            keyed = zip(itertools.islice(self._windows(), self.num_with_features), features, strict=False)
            ledger.record(
                *(
                    ReferenceMeasurement(
                        reference_identity(row.content_id, row.frame_ids, protocol.hash, READER),
                        self.feature_key,
                        pack_arrays({"features": feature}),
                    )
                    for row, feature in keyed
                )
            )
            for number in range(self.num_tokenizers):
                self._write_cell(ledger, number)

    @property
    def feature_key(self) -> str:
        """What the metric of features measures."""
        from toklab.bench.catalog.broken_metric import find_metric

        return find_metric("fvd-i3d").measurement_key

    def _write_cell(self, ledger: Ledger, number: int) -> None:
        from toklab.bench.catalog.broken_metric import find_metric

        protocol, is_discrete = load_protocol("vidtok"), number < self.num_discrete
        names = ["psnr", "ssim", "lpips-vgg", "fvd-i3d", *(["codebook-utilization"] if is_discrete else [])]
        cell_id, label = f"{number:016x}", f"tokenizer-{number:02}"
        spec = {"title": label, "comparison_group": "discrete" if is_discrete else "continuous", "causal": True}
        ledger.record(
            CellRecord(
                *(cell_id, label, label, spec, "none", "folder", protocol.model_dump(mode="json"), protocol.hash),
                settings=InferenceSettings().as_dict(),
                metrics=tuple(names),
                status="finished",
                planned=self.num_videos * self.windows_per_video,
            )
        )
        keys = [find_metric(name).measurement_key for name in names]
        files = CellFiles(ledger.folder)
        unfinished, digest = files.write(cell_id, self._contents(cell_id, number, keys))
        files.replace(unfinished, cell_id)
        ledger.record(CellFile(cell_id, digest))
        planned = frozenset(
            (row.source, row.window, clip_digest(row.content_id, row.frame_ids)) for row in self._windows()
        )
        write_plan(ledger.folder, cell_id, Plan({0: planned}))

    def _windows(self) -> Iterator[Row]:
        """Every window, without its cell and timing, in the order of the ledger."""
        for video, window in itertools.product(range(self.num_videos), range(self.windows_per_video)):
            first = window * self.num_frames
            yield Row(
                *("", f"video{video:06}.mp4", window, f"{video:064x}"),
                frame_ids=tuple(range(first, first + self.num_frames)),
                fps=30.0,
                reader=READER,
                status="scored",
                reason="",
                timing={},
                machine=MACHINE,
                run_id=RUN,
            )

    def _contents(self, cell_id: str, number: int, keys: list[str]) -> Iterator[tuple[Row, list[Measurement]]]:
        videos = np.random.default_rng(1).normal(-6.0, 1.0, self.num_videos)
        generator = np.random.default_rng((2, number))
        features = self._features(generator, noise=0.05 * (1 + number))
        for index, row in enumerate(self._windows()):
            hardness = videos[index // self.windows_per_video] + 0.02 * number + generator.normal(0, 0.2)
            noise = generator.random(self.num_frames)
            errors = np.exp(hardness + 0.1 * noise)
            arrays: list[Arrays] = [{"mse": errors}, {"ssim": 1 - 3 * np.sqrt(errors)}, {"lpips": 2 * np.sqrt(errors)}]
            arrays.append({"features": features[index]} if index < self.num_with_features else {})
            if number < self.num_discrete:
                arrays.append(self._codes(generator))
            seconds, after = generator.random(2)
            timing = {"batch_size": 1.0, "decode_s": seconds, "encode_s": after, "warm": float(index > 0)}
            yield (
                replace(row, cell_id=cell_id, timing=timing),
                [
                    Measurement(cell_id, row.source, row.window, key, pack_arrays(found))
                    for key, found in zip(keys, arrays, strict=True)
                    if found
                ],
            )

    def _codes(self, generator: np.random.Generator) -> Arrays:
        size = int(np.prod(LEVELS))
        drawn = np.minimum(generator.exponential(size / 6, self.tokens_per_window), size - 1).astype(np.int64)
        codes, counts = np.unique(drawn, return_counts=True)
        return {
            "sizes": np.array([size]),
            "levels": np.array(LEVELS),
            "codes_0": codes,
            "counts_0": counts.astype(np.int64),
        }

    def _features(self, generator: np.random.Generator, noise: float = 0.0) -> np.ndarray:
        """(windows, 400) float32; those of reconstructions are the references' with noise."""
        clean = np.random.default_rng(3).normal(size=(self.num_with_features, 400))
        return (clean + noise * generator.normal(size=clean.shape)).astype(np.float32)
