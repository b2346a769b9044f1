from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from imageio_ffmpeg import get_ffmpeg_exe
from toklab.tokenizers.baselines.codec import CodecTokenizer
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from torch import Tensor
from torch.nn import functional as F


@pytest.fixture
def clip() -> Tensor:
    """(1, 3, 9, 64, 80): a smooth random picture that pans."""
    picture = F.interpolate(torch.rand(1, 3, 12, 14) * 2 - 1, size=(96, 112), mode="bicubic").clamp(-1, 1)
    return torch.stack([picture[..., t : t + 64, 2 * t : 2 * t + 80] for t in range(9)], dim=2)


def make(**changes: Any) -> CodecTokenizer:
    card = load_cards()["h264-262144"]
    return CodecTokenizer(card.spec, {**card.parameters, **changes})


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * ((a - b) / 2).pow(2).mean().log10())


def test_the_stream_is_just_within_the_bits_of_the_codes(clip: Tensor) -> None:
    tokenizer = make()
    target = 3 * 8 * 10 * 18
    assert tokenizer.target_bits(9, 64, 80) == target
    encoded = tokenizer.encode(clip)
    assert encoded.bits_convention == "bitstream"
    assert 0.97 * target <= encoded.bits[0] <= target
    assert psnr(tokenizer.decode(encoded), clip) > 20


def test_more_bits_give_a_better_clip(clip: Tensor) -> None:
    quality = [psnr(t.decode(t.encode(clip)), clip) for t in (make(bits_per_latent_position=b) for b in (10, 20, 40))]
    assert quality == sorted(quality)


def test_with_bits_enough_only_the_colour_conversion_is_lost(clip: Tensor) -> None:
    grey = clip.mean(1, keepdim=True).expand(-1, 3, -1, -1, -1)
    tokenizer = make(bits_per_latent_position=100_000)
    assert psnr(tokenizer.decode(tokenizer.encode(grey)), grey) > 50


@pytest.mark.parametrize("colour", [(1, -1, -1), (-1, 1, -1), (-1, -1, 1), (1, 1, 1), (-1, -1, -1), (0.2, -0.4, 0.6)])
def test_colours_survive(colour: tuple[float, float, float]) -> None:
    video = torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1, 1).expand(1, 3, 5, 32, 32)
    tokenizer = make(bits_per_latent_position=200)
    assert psnr(tokenizer.decode(tokenizer.encode(video)), video) > 40


def test_two_encodings_are_equal_and_a_batch_is_its_clips(clip: Tensor) -> None:
    tokenizer = make()
    batch = tokenizer.encode(torch.cat([clip, clip.flip(4)]))
    assert batch.bitstreams == (*tokenizer.encode(clip).bitstreams, *tokenizer.encode(clip.flip(4)).bitstreams)
    assert tokenizer.decode(batch).shape == (2, 3, 9, 64, 80)


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 33), (5, 31, 64), (17, 40, 24)])
def test_any_length_and_size_comes_back_as_it_was(shape: tuple[int, int, int]) -> None:
    video = torch.zeros(1, 3, *shape)
    tokenizer = make()
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape


def test_streams_that_cannot_be_small_enough_say_their_size(clip: Tensor) -> None:
    encoded = make(bits_per_latent_position=0.1).encode(clip)
    assert encoded.bits[0] == 8 * len(encoded.bitstreams[0]) > 3 * 8 * 10 * 0.1


def test_the_stream_is_plain_h264_of_one_group_without_messages(clip: Tensor, tmp_path: Path) -> None:
    stream = make().encode(clip).bitstreams[0]
    units = [unit[0] & 31 for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
    assert units.count(5) == 1
    assert set(units) <= {1, 5, 7, 8}
    path = tmp_path / "clip.h264"
    path.write_bytes(stream)
    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "null", "-"], check=True)


def test_precision_of_the_settings_does_not_touch_the_pixels(clip: Tensor) -> None:
    card = load_cards()["h264-32768"]
    streams = {
        build_tokenizer(card, InferenceSettings(precision=precision)).encode(clip).bitstreams
        for precision in ("float32", "bfloat16")
    }
    assert len(streams) == 1


def test_version_names_both_programs() -> None:
    assert make().encoder_version.startswith("x264 core ")
    assert "ffmpeg" in make().encoder_version


def test_failures_surface(clip: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TokenizerError, match=r"ffmpeg failed .*preset"):
        make(preset="quickest").encode(clip)
    with pytest.raises(TokenizerError, match="the codec is libx264"):
        make(codec="libx265")
    with pytest.raises(TokenizerError, match="the parameters are"):
        make(crf=3)
    encoded = make().encode(clip)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", shutil.which("false") or "")
    with pytest.raises(TokenizerError, match="ffmpeg failed with status 1"):
        make().decode(encoded)
