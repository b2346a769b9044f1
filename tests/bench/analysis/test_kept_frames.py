"""Which kept frames are shown, and which part of them is magnified."""

from __future__ import annotations

import hashlib
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_runs import write_kept_run
from toklab.bench.analysis.frame_pixels import FramePixels, crop_box, read_frame
from toklab.bench.analysis.kept_frames import KeptWindow, choose_frames, kept_windows, sharing_systems
from toklab.bench.analysis.places import places_of
from toklab.bench.metrics.psnr import decibels


def window(name: str, psnr: dict[str, list[float]], frame_ids: tuple[int, ...] | None = None) -> KeptWindow:
    """A window with a tokenizer's dB of each frame."""
    ids = frame_ids or tuple(range(len(next(iter(psnr.values())))))
    values = {label: np.array(each) for label, each in psnr.items()}
    return KeptWindow(name, f"{name}.mp4", 0, ids, Path(), dict.fromkeys(psnr, Path()), values, {})


LEVELS = st.sampled_from([20.0, 21.0, 25.5, 30.0, 42.0])


@given(st.lists(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=3), min_size=1, max_size=5))
def test_frames_are_those_of_the_rules(clips: list[list[tuple[float, float]]]) -> None:
    windows = [window(f"c{i}", {"a": [a for a, _ in clip], "b": [b for _, b in clip]}) for i, clip in enumerate(clips)]
    expected: list[tuple[str, str, int]] = []
    for rule in ("worst", "best", "median difference", "by hash"):
        everything = [(f"c{i}", t, *pair) for i, clip in enumerate(clips) for t, pair in enumerate(clip)]
        taken = {(name, t) for _, name, t in expected}
        left = [each for each in everything if each[0] not in {name for name, _ in taken}]
        left = left or [each for each in everything if each[:2] not in taken]
        if not left:
            break
        left.sort(key=lambda each: hashlib.sha256(f"{each[0]} {each[1]}".encode()).hexdigest())
        means, gaps = [(a + b) / 2 for *_, a, b in left], [abs(a - b) for *_, a, b in left]
        middle = statistics.median_low(gaps)
        before = sum(gap < middle for gap in gaps)
        alike = [index for index, gap in enumerate(gaps) if gap == middle]
        number = {
            "worst": means.index(min(means)),
            "best": means.index(max(means)),
            "median difference": alike[(len(gaps) - 1) // 2 - before],
            "by hash": 0,
        }[rule]
        expected.append((rule, left[number][0], left[number][1]))
    for order in (windows, windows[::-1]):
        chosen = choose_frames(order, ["a", "b"])
        assert [(each.rule, each.window.identity, each.position) for each in chosen] == expected


def test_one_system_has_no_median_difference_and_no_psnr_leaves_the_hash() -> None:
    one = [window(name, {"a": [20.0, 30.0, 25.0]}) for name in ("c", "d", "e", "f")]
    assert [each.rule for each in choose_frames(one, ["a"])] == ["worst", "best", "by hash"]
    lacking = [*one[:-1], KeptWindow("f", "f.mp4", 0, (0, 1, 2), Path(), {"a": Path()}, {}, {})]
    assert [each.rule for each in choose_frames(lacking, ["a"])] == ["by hash"]
    assert choose_frames([], ["a"]) == []


def test_repeated_frames_of_a_short_tail_are_never_shown() -> None:
    tail = [window("c", {"a": [30.0, 29.0, 10.0, 99.0]}, (7, 8, 8, 8))]
    chosen = choose_frames(tail, ["a"])
    assert [(each.rule, each.position) for each in chosen] == [("worst", 1), ("best", 0)]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(2, 256), st.integers(0, 2**32 - 1))
def test_the_crop_is_where_the_systems_vary_most(height: int, width: int, systems: int, levels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    reference, *made = generator.integers(0, levels, (systems + 1, height, width, 3)).astype(np.uint8)
    box = crop_box(reference, made)
    compared = np.stack(made if systems > 1 else [reference, made[0]]).astype(float)
    variance = compared.var(0).sum(-1)
    high, wide = max(1, height // 4), max(1, width // 4)
    sums = {
        (top, left): variance[top : top + high, left : left + wide].sum()
        for top in range(height - high + 1)
        for left in range(width - wide + 1)
    }
    most = max(sums.values())
    assert (box.height, box.width) == (high, wide)
    assert (box.top, box.left) == next(place for place, total in sums.items() if total >= most * (1 - 1e-9) - 1e-9)


def test_the_crop_contains_the_largest_difference() -> None:
    reference = np.full((64, 96, 3), 100, np.uint8)
    made = [reference.copy(), reference.copy(), reference.copy()]
    made[1][50:54, 7:12] += 90
    made[2][10, 10] += 80
    box = crop_box(reference, made)
    assert box.top <= 50 < 54 <= box.top + box.height
    assert box.left <= 7 < 12 <= box.left + box.width
    assert box.cut(made[1]).max() == 190


def test_each_system_is_in_one_set_that_shares_windows() -> None:
    path = Path()
    causal, other, rest = (
        KeptWindow(name, name, 0, (0,), path, dict.fromkeys(labels, path), {}, {})
        for name, labels in (("w17", "abc"), ("w16", "de"), ("x17", "ab"))
    )
    sets = [(labels, [each.identity for each in shared]) for labels, shared in sharing_systems([other, rest, causal])]
    assert sets == [(["a", "b", "c"], ["w17"]), (["d", "e"], ["w16"])]
    assert list(sharing_systems([])) == []


@pytest.mark.slow
def test_kept_frames_are_read_back_as_they_were_scored(tmp_path: Path) -> None:
    (place,) = places_of(write_kept_run(tmp_path, ["a", "b"], num_clips=2))
    windows = kept_windows(place)
    assert [(each.source, list(each.reconstructions)) for each in windows] == [
        ("v0.mp4", ["a", "b"]),
        ("v1.mp4", ["a", "b"]),
    ]
    for chosen in choose_frames(windows, ["a", "b"]):
        frame = read_frame(chosen, ["a", "b"])
        assert isinstance(frame, FramePixels)
        for label, made in frame.made.items():
            error = np.mean(((made.astype(float) - frame.reference) / 255) ** 2, keepdims=True)
            assert chosen.window.psnr[label][chosen.position] == pytest.approx(decibels(error).item(), abs=1e-9)
