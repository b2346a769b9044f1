"""The same planes give the same colours, whatever file they are in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numbered_video import run_ffmpeg
from toklab.datasets.folder import FolderDataset
from toklab.datasets.interface import Clip, Dataset
from toklab.datasets.mcl_jcv import MclJcvDataset
from toklab.datasets.protocol import Protocol, load_protocol
from toklab.datasets.readers.worker import DecodeWorker
from toklab.datasets.stream import ClipStream

WIDTH, HEIGHT, NUM_FRAMES = 96, 64, 3
AS_IT_IS = load_protocol("cdt-image").derive(chunk_size=1)
RED = {"bt709": (63, 102, 240), "bt601": (81, 90, 240)}
"""Y, Cb and Cr of pure red, limited range, by ITU-R BT.709 and BT.601."""


def _write(folder: Path, colour: tuple[int, int, int], *tags: str) -> None:
    """The same planes raw, in ``raw``, and as lossless H.264, in ``coded``, under an official name."""
    luma, chroma = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    frame = bytes([colour[0]]) * luma + bytes([colour[1]]) * chroma + bytes([colour[2]]) * chroma
    for name in ("raw", "coded"):
        (folder / name).mkdir(parents=True)
    raw = folder / "raw" / f"videoSRC01_{WIDTH}x{HEIGHT}_30.yuv"
    raw.write_bytes(frame * NUM_FRAMES)
    described = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", "30", "-i", raw)
    run_ffmpeg(*described, "-c:v", "libx264", "-qp", "0", *tags, folder / "coded" / "videoSRC01.mp4")


def _colour(dataset: Dataset, protocol: Protocol, worker: DecodeWorker, reader: Literal["auto", "pyav"]) -> list[int]:
    """Mean red, green and blue of a dataset's first frame, 0 to 255."""
    with ClipStream(dataset.sources(), protocol, causal=False, reader=reader, workers=[worker]) as stream:
        clip, *_ = list(stream)
    assert isinstance(clip, Clip), clip
    return np.round((clip.video[:, 0].mean(dim=(1, 2)).numpy() + 1) * 127.5).astype(int).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_a_copy_of_a_raw_sequence_has_its_colours(
    tmp_path: Path, worker: DecodeWorker, reader: Literal["auto", "pyav"]
) -> None:
    _write(tmp_path, RED["bt709"])
    colours = [_colour(MclJcvDataset(tmp_path / name), AS_IT_IS, worker, reader) for name in ("raw", "coded")]
    assert np.abs(np.array(colours) - [255, 0, 0]).max() <= 2
    assert np.abs(np.subtract(colours[0], colours[1])).max() <= 1


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize("kind", [MclJcvDataset, FolderDataset])
def test_the_protocols_matrix_holds_for_every_file_that_names_none(
    tmp_path: Path, worker: DecodeWorker, matrix: str, kind: type[MclJcvDataset] | type[FolderDataset]
) -> None:
    _write(tmp_path, RED[matrix])
    protocol = AS_IT_IS.derive(colour_matrix=matrix)
    for name in ("raw", "coded"):
        assert np.abs(np.array(_colour(kind(tmp_path / name), protocol, worker, "auto")) - [255, 0, 0]).max() <= 2


def test_a_file_that_names_its_matrix_keeps_it(tmp_path: Path, worker: DecodeWorker) -> None:
    _write(tmp_path, RED["bt601"], "-colorspace", "bt470bg")
    colour = _colour(MclJcvDataset(tmp_path / "coded"), AS_IT_IS.derive(colour_matrix="bt709"), worker, "auto")
    assert np.abs(np.array(colour) - [255, 0, 0]).max() <= 2
