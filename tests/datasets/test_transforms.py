"""The pixel transform against the official one, and in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from toklab.datasets.protocol import load_protocol
from toklab.datasets.transforms import resized_size
from torch.nn.functional import interpolate, pad
from torchvision.transforms.functional import normalize, to_tensor

VIDTOK = load_protocol("vidtok")
CDT = load_protocol("cdt")


@pytest.mark.goldens
def test_official_transforms(shared: Path) -> None:
    tensors = load_file(shared / "goldens/protocol/vidtok_transforms.safetensors")
    cases = sorted({name.split(".")[0] for name in tensors})
    assert cases
    for case in cases:
        height, width = tensors[f"{case}.size"].tolist()
        clip = VIDTOK.derive(height=height, width=width).transform(tensors[f"{case}.raw_u8_thwc"].numpy())
        torch.testing.assert_close(clip, tensors[f"{case}.out_cthw"], rtol=0, atol=1e-6)


def test_frames_of_the_clips_size_only_change_their_scale() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    clip = VIDTOK.derive(height=32, width=32).transform(frames)
    expected = torch.from_numpy(frames).permute(3, 0, 1, 2) / 255 * 2 - 1
    torch.testing.assert_close(clip, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("resize_filter", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop", ["center", "top-left"])
@pytest.mark.parametrize("size", [(47, 83), (90, 31), (32, 40)])
def test_clips_are_bit_for_bit_what_each_frame_gives_on_its_own(
    resize_filter: str, crop: str, size: tuple[int, int]
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    frames.flags.writeable = False
    protocol = VIDTOK.derive(height=32, width=40, resize_filter=resize_filter, crop=crop)
    resized = resized_size(*size, 32, 40, "short-side-to-height")
    expected = []
    for frame in frames:
        if resize_filter == "lanczos" and resized != size:
            image = np.array(Image.fromarray(frame).resize((resized[1], resized[0]), Image.Resampling.LANCZOS))
            image = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        else:
            image = torch.tensor(frame).permute(2, 0, 1).contiguous().float() / 255
        if resize_filter != "lanczos" and resized != size:
            image = interpolate(image[None], resized, mode=resize_filter, antialias=True, align_corners=False)[0]
        image = image.clamp(0, 1)
        missing = 40 - image.shape[2]
        if missing > 0:
            left = missing // 2 if crop == "center" else 0
            image = pad(image, (left, missing - left))
        left = round((image.shape[2] - 40) / 2) if crop == "center" else 0
        top = round((image.shape[1] - 32) / 2) if crop == "center" else 0
        expected.append((image[:, top : top + 32, left : left + 40] - 0.5) / 0.5)
    assert torch.equal(protocol.transform(frames), torch.stack(expected, 1))


def test_the_short_side_becomes_the_height_and_narrow_frames_get_black_bars() -> None:
    white = np.full((1, 64, 32, 3), 255, np.uint8)
    clip = VIDTOK.derive(height=16, width=24).transform(white)
    assert clip.shape == (3, 1, 16, 24)
    assert (clip[..., :4] == -1).all()
    assert (clip[..., 20:] == -1).all()
    torch.testing.assert_close(clip[..., 4:20], torch.ones(3, 1, 16, 16))


def test_the_other_rules() -> None:
    left_white = np.zeros((1, 16, 32, 3), np.uint8)
    left_white[:, :, :16] = 255
    small = VIDTOK.derive(height=16, width=16)
    assert (small.derive(crop="top-left").transform(left_white) == 1).all()
    halves = small.derive(resize="exact").transform(left_white)
    assert (halves[..., :7] > 0.99).all()
    assert (halves[..., 9:] < -0.99).all()
    bicubic = small.derive(resize_filter="bicubic", height=24, width=48).transform(left_white)
    assert bicubic.min() == -1
    assert bicubic.max() == 1


sides = st.integers(9, 90)


@pytest.mark.slow
@settings(max_examples=60)
@given(sides, sides, sides, sides, st.integers(0, 99))
def test_cover_equals_pillow(height: int, width: int, clip_height: int, clip_width: int, seed: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    clip = CDT.derive(height=clip_height, width=clip_width).transform(frames)
    scale = max(clip_width / width, clip_height / height)
    size = (round(width * scale), round(height * scale))
    assert size[0] >= clip_width
    assert size[1] >= clip_height
    left, top = (size[0] - clip_width) // 2, (size[1] - clip_height) // 2
    for index, frame in enumerate(frames):
        picture = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        picture = picture.crop((left, top, left + clip_width, top + clip_height))
        expected = normalize(to_tensor(picture), [0.5] * 3, [0.5] * 3)
        assert torch.equal(clip[:, index], expected)


def test_cdt_enlarges_small_frames_and_crops_only_the_long_side() -> None:
    left_white = np.zeros((1, 128, 256, 3), np.uint8)
    left_white[:, :, :128] = 255
    clip = CDT.transform(left_white)
    assert clip.shape == (3, 1, 256, 256)
    assert (clip[..., :120] == 1).all()
    assert (clip[..., 136:] == -1).all()


@pytest.mark.parametrize(("size", "expected"), [((17, 30), (16, 24)), ((8, 16), (8, 16)), ((15, 9), (8, 8))])
def test_pictures_keep_their_size_but_for_a_rest(size: tuple[int, int], expected: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    clip = load_protocol("cdt-image").transform(frames)
    cut = Image.fromarray(frames[0]).crop((0, 0, expected[1], expected[0]))
    assert torch.equal(clip[:, 0], normalize(to_tensor(cut), [0.5] * 3, [0.5] * 3))


def test_pictures_smaller_than_the_multiple_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames of 7×30 pixels are smaller than size_multiple = 8"):
        load_protocol("cdt-image").transform(np.zeros((1, 7, 30, 3), np.uint8))


@pytest.mark.parametrize(
    "frames", [np.zeros((4, 8, 8), np.uint8), np.zeros((1, 8, 8, 3), np.float32), np.zeros((0, 8, 8, 3), np.uint8)]
)
def test_other_arrays_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(T, H, W, 3\)"):
        VIDTOK.transform(frames)
