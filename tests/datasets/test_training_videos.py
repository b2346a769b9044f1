from __future__ import annotations

from pathlib import Path

import pytest
from tar_shards import write_shard
from toklab.datasets.interface import DatasetUnavailable
from toklab.datasets.training_videos import must_stream, training_videos


def test_a_table_of_hundreds_of_thousands_is_listed_without_looking_for_its_files(tmp_path: Path) -> None:
    table = tmp_path / "videos.csv"
    rows = "".join(f"{number},videos/{number}.mp4,a caption\n" for number in range(300_000))
    table.write_text("id,path,caption\n" + rows)
    videos = training_videos(table, tmp_path / "cache")
    assert len(videos) == 300_000
    assert videos[299_999].path == tmp_path / "videos/299999.mp4"
    assert videos[-1].title == str(tmp_path / "videos/299999.mp4")


def test_columns_of_other_tools_and_absolute_paths_are_taken(tmp_path: Path) -> None:
    table = tmp_path / "videos.csv"
    table.write_text("caption,videos\nx,/data/a.mp4\ny, b.mp4 \nz,\n", encoding="utf-8-sig")
    assert [video.path for video in training_videos(table, tmp_path)] == [Path("/data/a.mp4"), tmp_path / "b.mp4"]


@pytest.mark.parametrize("content", ["name\na.mp4\n", "path\n", ""])
def test_tables_without_videos_are_refused(tmp_path: Path, content: str) -> None:
    table = tmp_path / "videos.csv"
    table.write_text(content)
    with pytest.raises(DatasetUnavailable, match=r"videos\.csv .*Give a table with a column path or videos"):
        training_videos(table, tmp_path)
    with pytest.raises(DatasetUnavailable, match=r"none\.csv can't be read"):
        training_videos(tmp_path / "none.csv", tmp_path)


def test_shards_and_the_videos_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_shard(folder / "1.tar", {"c.mp4": b"c", "c.txt": b"caption"})
    write_shard(folder / "0.tar", {"a.mp4": b"a", "b.mp4": b"bb"})
    shards = training_videos(folder, tmp_path / "cache")
    assert [video.source.key for video in shards] == ["0.tar/a.mp4", "0.tar/b.mp4", "1.tar/c.mp4"]
    assert [video.num_bytes for video in shards[1:]] == [2, 1]
    assert "0.tar: 0.tar/b.mp4" in shards[1].title
    (folder / "loose.mp4").write_bytes(b"x")
    assert len(training_videos(folder, tmp_path / "cache")) == 4
    assert [video.source.key for video in training_videos(folder / "1.tar", tmp_path / "cache")] == ["1.tar/c.mp4"]
    with pytest.raises(DatasetUnavailable, match="no shard holds a video"):
        training_videos(write_shard(tmp_path / "empty.tar", {"a.txt": b""}), tmp_path / "cache")


def test_tables_and_shards_are_streamed_and_others_if_the_recipe_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert not must_stream(tmp_path)
    assert not must_stream(tmp_path / "list.txt")
    assert must_stream(tmp_path / "list.csv")
    assert must_stream(tmp_path / "0.tar")
    write_shard(tmp_path / "0.tar", {"a.mp4": b"a"})
    assert must_stream(tmp_path)
    assert [video.source.key for video in training_videos(tmp_path / "a.mp4", tmp_path)] == ["a.mp4"]
