"""Plugins that raise what is no error, change the process under everybody's feet, hang, and end it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from fake_tokenizers import Average
from toklab.bench.metrics.interface import (
    Arrays,
    Estimate,
    MeasuredWindow,
    Metric,
    MetricError,
    Unavailable,
    WindowBatch,
)
from toklab.datasets.interface import Dataset, VideoSource
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerSpec
from torch import Tensor

Generators = Sequence[torch.Generator] | None


class Stop(BaseException):
    """No error at all, and without a message that can be made."""

    def __str__(self) -> str:
        raise SystemExit(0)


def change_everything() -> None:
    """Change whatever of a process a plugin can change."""
    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_num_threads(7)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = not torch.backends.cudnn.allow_tf32


class ChangesEverything(Average):
    """Changes everything when it is built and when it encodes."""

    name = "changes-everything"

    def __init__(self, settings: InferenceSettings | None = None):
        change_everything()
        super().__init__(settings)

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        change_everything()
        return super()._encode(video, generators)


class ExitsInConstruction(Average):
    name = "exits-in-construction"

    def __init__(self, settings: InferenceSettings | None = None):
        raise SystemExit(0)


class ExitsInSpec(Average):
    name = "exits-in-spec"

    @property
    def spec(self) -> TokenizerSpec:
        raise SystemExit(0)

    @spec.setter
    def spec(self, value: TokenizerSpec) -> None:
        """Taken, and never given."""


class ExitsInEncode(Average):
    name = "exits-in-encode"

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        raise SystemExit("enough")


class InterruptsInDecode(Average):
    name = "interrupts-in-decode"

    def _decode(self, encoded: Encoded) -> Tensor:
        raise KeyboardInterrupt


class StopsInDecode(Average):
    name = "stops-in-decode"

    def _decode(self, encoded: Encoded) -> Tensor:
        raise Stop


class DiesInConstruction(Average):
    name = "dies-in-construction"

    def __init__(self, settings: InferenceSettings | None = None):
        os._exit(0)


class DiesInEncode(Average):
    """Ends the process at its second window, and says that all is well."""

    name = "dies-in-encode"
    windows = 0

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        self.windows += 1
        if self.windows == 2:
            os._exit(0)
        return super()._encode(video, generators)


class DiesInTiming(Average):
    """Ends the process when its window is encoded once more, for its speed."""

    name = "dies-in-timing"
    passes = 0

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        DiesInTiming.passes += 1
        if DiesInTiming.passes == 2:
            os._exit(0)
        return super()._encode(video, generators)


class Hangs(Average):
    name = "hangs"

    def _encode(self, video: Tensor, generators: Generators) -> Encoded:
        threading.Event().wait()
        return super()._encode(video, generators)


class HangsAtTheEnd(Average):
    """Is sound, and leaves a thread behind that keeps the process for ever."""

    name = "hangs-at-the-end"

    def __init__(self, settings: InferenceSettings | None = None):
        super().__init__(settings)
        threading.Thread(target=time.sleep, args=(1e6,)).start()


class HangsInConstruction(Average):
    name = "hangs-in-construction"

    def __init__(self, settings: InferenceSettings | None = None):
        threading.Event().wait()


class ExitsInSources(Dataset):
    name = "exits-in-sources"

    def __init__(self, root: Path | None):
        change_everything()

    def sources(self) -> list[VideoSource]:
        raise SystemExit(0)


class Changing(Dataset):
    """Lists its videos once, and ends the program when it is asked again."""

    name = "changing"
    named_by_root = True
    asked = 0

    def __init__(self, root: Path | None):
        assert root is not None
        self._root = root

    def sources(self) -> list[VideoSource]:
        self.asked += 1
        if self.asked > 1:
            raise SystemExit(0)
        return [VideoSource(path.name, path) for path in sorted(self._root.glob("*.mp4"))]


class Frames(Metric):
    """A sound metric: counts frames."""

    name = title = measurement = "frames"
    direction = "none"
    range = display_range = (0.0, 100.0)
    needs = "pairs"
    convention = "number of frames"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        return [{"frames": np.full(1, batch.reference.shape[2])} for _ in batch.reference]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        return Estimate(float(sum(window.arrays["frames"][0] for window in windows)), len(windows), "windows")


class ExitsInPrepare(Frames):
    name = title = measurement = "exits-in-prepare"

    def prepare(self, device: torch.device) -> None:
        raise SystemExit(0)


class ExitsInMeasure(Frames):
    name = title = measurement = "exits-in-measure"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        change_everything()
        raise SystemExit(0)


class DiesInMeasure(Frames):
    name = title = measurement = "dies-in-measure"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        os._exit(0)


class ExitsInAggregate(Frames):
    name = title = "exits-in-aggregate"
    measurement = "frames"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        change_everything()
        raise SystemExit(0)


class ExitsInComparison(Frames):
    name = title = "exits-in-comparison"
    measurement = "frames"

    def compare_systems(
        self, systems: Sequence[Sequence[MeasuredWindow]], pairs: Sequence[tuple[int, int]] | None = None
    ) -> Unavailable:
        raise SystemExit(0)


class HangsInMeasure(Frames):
    name = title = measurement = "hangs-in-measure"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        threading.Event().wait()
        return super().measure(batch)


class HangsInAggregate(Frames):
    name = title = "hangs-in-aggregate"
    measurement = "frames"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        threading.Event().wait()
        return super().aggregate(windows, facts)


class Refuses(Frames):
    """Says, as a metric may, that it can't measure a window."""

    name = title = measurement = "refuses"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        raise MetricError("too few frames")


class WithoutATitle(Metric):
    name = "without-a-title"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        return Estimate(0.0, len(windows))


TOKENIZERS = {
    cls.name: f"hostile_plugins:{cls.__name__}"
    for cls in (
        *(ChangesEverything, ExitsInConstruction, ExitsInSpec, ExitsInEncode, InterruptsInDecode, StopsInDecode),
        *(DiesInConstruction, DiesInEncode, Hangs, HangsAtTheEnd),
    )
} | {"exits-in-import": "hostile_import:build"}
METRICS = {
    cls.name: f"hostile_plugins:{cls.__name__}"
    for cls in (
        Frames,
        ExitsInPrepare,
        ExitsInMeasure,
        DiesInMeasure,
        ExitsInAggregate,
        ExitsInComparison,
        WithoutATitle,
    )
}
ENDLESS_METRICS = (HangsInMeasure, HangsInAggregate)


def plugins_variable() -> str:
    """The value of TOKLAB_PLUGINS that makes all of them known."""
    found = {
        **TOKENIZERS,
        "average": "fake_tokenizers:Average",
        **{f"metrics.{name}": target for name, target in METRICS.items()},
        **{f"datasets.{cls.name}": f"hostile_plugins:{cls.__name__}" for cls in (ExitsInSources, Changing)},
        "hangs-in-construction": "hostile_plugins:HangsInConstruction",
        "dies-in-timing": "hostile_plugins:DiesInTiming",
        **{f"metrics.{cls.name}": f"hostile_plugins:{cls.__name__}" for cls in ENDLESS_METRICS},
        "metrics.refuses": "hostile_plugins:Refuses",
    }
    return ",".join(f"{name}={target}" for name, target in found.items())
