"""The script that makes the README's pictures, at work on a page with numbered frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import front_page
import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow
@pytest.mark.thorough
def test_pictures_show_the_page_and_its_viewer(browser: Any, page_file: Path, tmp_path: Path) -> None:
    front_page.take_pictures(
        browser, page_file, tmp_path, watched="Alpha system 0", beside="Beta system 1", frame=front_page.FRAME
    )
    with (
        Image.open(tmp_path / front_page.PAGE_PICTURE) as page,
        Image.open(tmp_path / front_page.VIEWER_PICTURE) as viewer,
    ):
        assert page.size == front_page.VIEWPORT
        assert viewer.size == front_page.VIEWER_VIEWPORT
        assert np.asarray(page.convert("L")).std() > 1
        assert np.asarray(viewer.convert("L")).std() > 1


def test_a_large_picture_gets_a_palette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_page, "LARGEST_PICTURE", 5000)
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    whole, small = tmp_path / "whole.png", tmp_path / "small.png"
    for part, mode in ((noise, "P"), (noise[:20], "RGB")):
        Image.fromarray(part).save(whole)
        front_page.save_picture(whole.read_bytes(), small)
        with Image.open(small) as picture:
            assert (picture.mode, picture.size) == (mode, (50, len(part)))
            assert mode == "P" or np.array_equal(np.asarray(picture), part)
