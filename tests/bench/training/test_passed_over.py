from __future__ import annotations

from pathlib import Path

from toklab.bench.training.passed_over import MOST_MESSAGES, PassedOver, num_passed_over


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
        PassedOver(tmp_path, lambda text: None).add("a.mp4: is broken")
    assert (tmp_path / "passed_over.txt").read_text() == "a.mp4: is broken\n"
    one, other = (PassedOver(tmp_path, lambda text: None) for _ in range(2))
    for process in (one, other):
        process.add("b.mp4: is broken")
    assert num_passed_over(tmp_path) == 2
