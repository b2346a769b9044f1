from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toklab.bench.training.clips import open_clips
from toklab.bench.training.passed_over import MOST_MESSAGES, PassedOver, num_passed_over
from toklab.datasets.video_writer import write_video
from toklab.tokenizers.training import checkpoint
from toklab.tokenizers.training.recipe import Recipe


def test_a_flood_is_listed_and_not_shown(tmp_path: Path) -> None:
    said: list[str] = []
    taker = PassedOver(tmp_path / "out", said.append)
    assert num_passed_over(tmp_path / "out") == 0
    for number in range(3 * MOST_MESSAGES):
        taker.add(f"{number}.mp4: is\nbroken")
    assert said[0] == "passed over: 0.mp4: is broken"
    assert len(said) == MOST_MESSAGES + 1
    assert "passed_over.txt lists all of them" in said[-1]
    assert num_passed_over(tmp_path / "out") == 3 * MOST_MESSAGES


def test_resumed_trainings_and_other_processes_list_a_video_once(tmp_path: Path) -> None:
    for _ in range(2):
        PassedOver(tmp_path, lambda text: None, goes_on=True).add("a.mp4: is broken")
    assert (tmp_path / "passed_over.txt").read_text() == "a.mp4: is broken\n"
    one, other = (PassedOver(tmp_path, lambda text: None) for _ in range(2))
    for process in (one, other):
        process.add("b.mp4: is broken")
    assert num_passed_over(tmp_path) == 2


@pytest.mark.parametrize(("has_checkpoint", "rank", "count"), [(False, "0", 1), (False, "1", 2), (True, "0", 2)])
def test_a_training_that_starts_anew_forgets_what_an_earlier_attempt_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_checkpoint: bool, rank: str, count: int
) -> None:
    monkeypatch.setenv("TOKLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RANK", rank)
    out, videos = tmp_path / "out", tmp_path / "videos"
    for name, num_frames in (("long.mp4", 5), ("short.mp4", 2)):
        write_video(videos / name, np.zeros((num_frames, 16, 16, 3), np.uint8), 30.0)
    PassedOver(out, lambda text: None).add("typo/a.mp4: there is no such file")
    if has_checkpoint:
        (out / checkpoint.FILE_NAME).touch()
    data = {"num_frames": 5, "size": 16, "synthetic_share": 0.0}
    open_clips(Recipe("own", "module:Objective", {}, data=data), videos, out, 1, lambda text: None).close()
    assert num_passed_over(out) == count
