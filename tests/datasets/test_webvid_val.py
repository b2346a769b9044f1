"""WebVid's validation list over a partial copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.datasets.interface import DatasetUnavailable
from toklab.datasets.webvid_val import LIST_NAME, WebVidValDataset

HEADER = "videoid,contentUrl,duration,page_dir,name\n"
ROWS = (
    '2,https://x/2.mp4,PT00H00M15S,000001_000050,"Waves, at ""sunset"""\n'
    "1,https://x/1.mp4,PT00H00M10S,000001_000050,Forest\n"
    "1,https://x/1.mp4,PT00H00M10S,000001_000050,Forest\n"
    "3,https://x/3.mp4,PT00H00M10S,000051_000100,Not downloaded\n"
    "4,https://x/4.mp4,PT00H00M10S,,No page\n"
    ",https://x/5.mp4,PT00H00M10S,000051_000100,No id\n"
)


def _copy(root: Path, *videos: str) -> WebVidValDataset:
    (root / LIST_NAME).write_text(HEADER + ROWS, encoding="utf-8")
    for video in videos:
        file = root / "videos" / f"{video}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return WebVidValDataset(root)


def test_every_row_is_there_or_missing_with_a_reason(tmp_path: Path) -> None:
    dataset = _copy(tmp_path, "000001_000050/1", "000001_000050/2", "000001_000050/unlisted")
    assert [source.key for source in dataset.sources()] == ["000001_000050/1", "000001_000050/2"]
    assert {missing.key: missing.reason for missing in dataset.missing()} == {
        "000051_000100/3": "no file videos/000051_000100/3.mp4",
        "4": f"{LIST_NAME} gives no page_dir",
        "row 6": f"{LIST_NAME} gives no videoid",
    }


def test_what_is_not_there_is_told_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match=r"results_10M_val\.csv.*withdrawn"):
        WebVidValDataset(tmp_path).sources()
    dataset = _copy(tmp_path)
    with pytest.raises(DatasetUnavailable, match="none of the 5 videos"):
        dataset.sources()
    (tmp_path / LIST_NAME).write_text("id,url\n1,x\n")
    with pytest.raises(DatasetUnavailable, match="no column page_dir and no column videoid"):
        dataset.sources()
