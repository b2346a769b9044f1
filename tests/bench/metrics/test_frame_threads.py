"""Parts of a window on several threads: the same bits as on one, and torch's number of threads afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from metric_windows import random_video
from toklab.bench.metrics import lpips, ssim
from toklab.bench.metrics.frame_threads import in_threads
from toklab.bench.metrics.ssim import gaussian_ssim


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_every_part_is_worked_on_alone_and_in_order() -> None:
    def work(part: int) -> tuple[int, int, bool, bool]:
        is_main = threading.current_thread() is threading.main_thread()
        return part, torch.get_num_threads(), is_main, torch.is_grad_enabled()

    assert in_threads(work, [3, 1, 2]) == [(part, 1, False, False) for part in (3, 1, 2)]
    assert torch.get_num_threads() == 2
    assert in_threads(work, [3]) == [(3, 2, True, True)]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("num_threads", [5, 8, 16, 32])
def test_frames_of_ssim_are_worked_on_alone_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, num_threads: int
) -> None:
    seen: list[tuple[bool, int]] = []

    def frame_ssim(*arguments: object) -> torch.Tensor:
        seen.append((threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        return torch.zeros((), dtype=torch.float64)

    monkeypatch.setattr(ssim, "_frame_ssim", frame_ssim)
    torch.set_num_threads(num_threads)
    video = torch.zeros(1, 3, 17, 16, 16)
    gaussian_ssim(video, video)
    assert seen == [(False, 1)] * 17
    assert torch.get_num_threads() == num_threads


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("num_frames", "is_alone"), [(4, False), (17, True)])
def test_frames_of_lpips_share_their_steps_where_parts_are_few(
    monkeypatch: pytest.MonkeyPatch, num_frames: int, is_alone: bool
) -> None:
    seen: set[int] = set()

    def distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.add(torch.get_num_threads())
        return torch.zeros(len(x), 1)

    monkeypatch.setattr(lpips, "_fast_form", lambda model, device: distances)
    torch.set_num_threads(5)
    video = torch.zeros(1, 3, num_frames, 16, 16)
    assert lpips.lpips_distance(torch.nn.Identity(), video, video).shape == (1, num_frames)
    assert seen == {1 if is_alone else 5}


@pytest.mark.usefixtures("two_threads")
def test_what_fails_is_raised_and_the_number_of_threads_stays() -> None:
    def work(part: int) -> int:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        in_threads(work, range(4))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_ssim_has_the_same_bits_on_any_number_of_threads() -> None:
    x, y = random_video(0, (1, 3, 5, 61, 70)), random_video(1, (1, 3, 5, 61, 70))
    on_two = gaussian_ssim(x, y)
    for num_threads in (1, 4, 16):
        torch.set_num_threads(num_threads)
        assert torch.equal(gaussian_ssim(x, y), on_two)
