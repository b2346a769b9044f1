"""`toklab data lock`, and that a run heeds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import toklab
from toklab.datasets.lock import LOCK_NAME, LockError


@pytest.mark.parametrize("prefix", ["", "folder:", "mine=folder:"])
def test_a_lock_is_written_beside_the_videos_and_compared_from_then_on(video_folder: Path, prefix: str) -> None:
    dataset = f"{prefix}{video_folder}"
    assert toklab("data", "lock", dataset) == (0, f"3 videos in {video_folder / LOCK_NAME}\n")
    assert toklab("data", "lock", dataset)[0] == 0
    written = (video_folder / LOCK_NAME).read_bytes()
    with (video_folder / "b.mp4").open("ab") as file:
        file.write(b"\0")
    code, output = toklab("data", "lock", dataset)
    assert (code, output.splitlines()[0]) == (1, "changed b.mp4")
    assert (video_folder / LOCK_NAME).read_bytes() == written
    code, output = toklab("data", "lock", dataset, "--update")
    assert (code, output.splitlines()[-1]) == (0, f"3 videos in {video_folder / LOCK_NAME}")
    assert toklab("data", "lock", dataset)[0] == 0


def test_a_folder_is_known_by_its_name_even_where_that_looks_escaped(tmp_path: Path, video_folder: Path) -> None:
    folder = video_folder.rename(tmp_path / r"old\x5cnew")
    assert toklab("data", "list", folder)[0] == 0
    assert toklab("data", "lock", folder)[0] == 0
    assert (folder / LOCK_NAME).is_file()


def test_a_dataset_without_a_folder_needs_a_place_for_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKLAB_DATA", raising=False)
    with pytest.raises(LockError, match="--lock FILE"):
        toklab("data", "lock", "sample")


@pytest.mark.slow
def test_a_run_fails_what_is_not_as_in_the_lock_it_is_given(
    tmp_path: Path, fake_tokenizers: None, video_folder: Path
) -> None:
    lock = tmp_path / "clips.lock"
    assert toklab("data", "lock", video_folder, "--lock", lock)[0] == 0
    with (video_folder / "b.mp4").open("ab") as file:
        file.write(b"\0")
    small = ("--set-protocol", "height=32", "--set-protocol", "width=32")
    run = ("run", "-t", "average", "-d", f"folder:{video_folder}", "-m", "psnr", *small, "-o", tmp_path / "run")
    code, output = toklab(*run, "--lock", lock)
    assert code == 1
    assert "b.mp4" in toklab("report", tmp_path / "run", "--format", "md")[1] or "1 failed" in output
    with pytest.raises(ValueError, match="one dataset"):
        toklab(*run, "-d", "sample", "--lock", lock)
