"""Damage to videos: a window is what it was, or it has failed with a reason."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import tiny_runs
from bit_flips import damage
from faults import FaultKind, Outcome
from natural_video import write_natural
from toklab.bench.planning.suite import Suite
from toklab.datasets.folder import FolderDataset
from toklab.datasets.lock import LOCK_NAME, hash_videos, write_lock
from toklab.datasets.readers.worker import DecodeWorker

NUM_FRAMES = 40
ENCODERS = {
    "h264": ("-c:v", "libx264", "-g", "17"),
    "h264 of 360 lines": ("-c:v", "libx264", "-g", "17", "-vf", "scale=640:360", "-pix_fmt", "yuv420p"),
    "hevc": ("-c:v", "libx265", "-g", "17", "-x265-params", "log-level=none"),
}
"""Options of FFmpeg for each codec."""


class DamagedVideo(FaultKind):
    """A video is damaged, and a run scores its windows."""

    name = "damaged video"
    tried = "flipped bits, a cut end, zeros or noise in an H.264 or HEVC file; then a run scores its windows"
    share = 600
    per_process = 20
    locked: ClassVar[bool] = False
    """Whether `toklab data lock` knows the content of the file."""
    _worker: DecodeWorker | None = None

    def prepare(self, folder: Path) -> None:
        for codec, options in ENCODERS.items():
            videos = folder / codec
            videos.mkdir()
            write_natural(videos / "v.mp4", NUM_FRAMES, *options)
            if self.locked:
                write_lock(videos / LOCK_NAME, hash_videos(FolderDataset(videos)))
            run = folder / f"{codec} run"
            tiny_runs.run(run, suite(videos))
            (folder / f"{codec}.pickle").write_bytes(pickle.dumps(tiny_runs.scored(run)["bicubic-4chn"]))

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        codec = str(rng.choice(list(ENCODERS)))
        videos = Path(shutil.copytree(folder / codec, scratch / "videos"))
        content, what = damage((videos / "v.mp4").read_bytes(), rng)
        (videos / "v.mp4").write_bytes(content)
        if self._worker is None:
            self._worker = DecodeWorker(60.0)
        tiny_runs.run(scratch / "run", suite(videos), worker=self._worker)
        truth = pickle.loads((folder / f"{codec}.pickle").read_bytes())
        found = tiny_runs.scored(scratch / "run").get("bicubic-4chn", {})
        failed = tiny_runs.num_failed(scratch / "run")
        detail = f"{codec}, {what}: {len(found)} windows scored, {failed} failed"
        wrong = [key for key, measured in found.items() if truth.get(key) != measured]
        if wrong:
            is_said = any("would go unseen" in remark for remark in tiny_runs.remarks(scratch / "run"))
            verdict = "doubted" if is_said else "wrong"
            return Outcome(verdict, f"{detail}; others than those of the sound file: {wrong}")
        if not failed and len(found) < len(truth):
            return Outcome("wrong", f"{detail}; {len(truth) - len(found)} missing without a word")
        return Outcome("refused" if failed else "survived", detail)


class DamagedLockedVideo(DamagedVideo):
    """The same with a lock."""

    name = "damaged video, locked"
    tried = "the same damage to an H.264 or HEVC file whose content `toklab data lock` knows"
    locked = True


def suite(videos: Path) -> Suite:
    """One tokenizer, one metric, small windows."""
    changes = {"tokenizers": ("bicubic-4chn",), "metrics": ("psnr",)}
    return tiny_runs.suite(videos).model_copy(update=changes)
