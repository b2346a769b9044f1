"""MCL-JCV: the official list against what lies in a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from toklab.datasets.interface import DatasetUnavailable
from toklab.datasets.mcl_jcv import SEQUENCE_FPS, MclJcvDataset
from toklab.datasets.protocol import load_protocol


def _raw(root: Path, *numbers: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        name = f"videoSRC{number:02d}"
        (root / f"{name}_1920x1080_{SEQUENCE_FPS[name]}.yuv").touch()


def test_the_official_list() -> None:
    assert list(SEQUENCE_FPS) == [f"videoSRC{number:02d}" for number in range(1, 31)]
    assert Counter(SEQUENCE_FPS.values()) == {30: 16, 25: 7, 24: 7}
    dataset = MclJcvDataset()
    assert [dataset.expected_num_frames(name) for name in ("videoSRC01", "videoSRC05", "videoSRC17")] == [150, 125, 120]


def test_the_known_number_of_windows() -> None:
    protocol, dataset = load_protocol("vidtok"), MclJcvDataset()
    counts = {
        causal: sum(
            len(protocol.windows(dataset.expected_num_frames(name), fps, causal=causal))
            for name, fps in SEQUENCE_FPS.items()
        )
        for causal in (True, False)
    }
    assert counts == {True: 256, False: 272}


def test_raw_sources_carry_the_official_facts(tmp_path: Path) -> None:
    _raw(tmp_path / "1080P/YUV_source", *range(1, 31))
    dataset = MclJcvDataset(tmp_path)
    sources = dataset.sources()
    assert [source.key for source in sources] == list(SEQUENCE_FPS)
    assert {(source.kind, source.width, source.height, source.colour_matrix) for source in sources} == {
        ("yuv", 1920, 1080, "bt709")
    }
    assert [source.fps for source in sources] == [float(fps) for fps in SEQUENCE_FPS.values()]
    assert dataset.missing() == []


def test_other_files_stand_in_and_the_rest_is_missing(tmp_path: Path) -> None:
    _raw(tmp_path, 1, 2)
    for name in ("videoSRC02.mp4", "videoSRC03.mp4", "videoSRC04_1920x1080_30.avi", "videoSRC05.txt", "videoSRC31.mp4"):
        (tmp_path / name).touch()
    dataset = MclJcvDataset(tmp_path)
    found = {source.key: (source.path.name, source.kind) for source in dataset.sources()}
    assert found == {
        "videoSRC01": ("videoSRC01_1920x1080_30.yuv", "yuv"),
        "videoSRC02": ("videoSRC02_1920x1080_30.yuv", "yuv"),
        "videoSRC03": ("videoSRC03.mp4", "video"),
        "videoSRC04": ("videoSRC04_1920x1080_30.avi", "video"),
    }
    missing = dataset.missing()
    assert [source.key for source in missing] == list(SEQUENCE_FPS)[4:]
    assert "videoSRC05_1920x1080_25.yuv" in missing[0].reason


def test_the_published_lossy_encodes_are_no_references(tmp_path: Path) -> None:
    folder = tmp_path / "1080P/videos"
    folder.mkdir(parents=True)
    (folder / "videoSRC01.mp4").touch()
    dataset = MclJcvDataset(tmp_path)
    assert len(dataset.missing()) == 30
    with pytest.raises(DatasetUnavailable, match="uscmcl/MCL-JCV_Dataset"):
        dataset.sources()


def test_without_a_folder_the_cure_says_where_it_comes_from() -> None:
    with pytest.raises(DatasetUnavailable, match="1080P/YUV_source") as caught:
        MclJcvDataset().sources()
    assert "TOKLAB_DATA" in caught.value.hint
