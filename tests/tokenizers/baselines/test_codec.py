from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from imageio_ffmpeg import get_ffmpeg_exe
from toklab.tokenizers.baselines.codec import CodecTokenizer
from toklab.tokenizers.baselines.codecs import CODECS
from toklab.tokenizers.baselines.ffmpeg import has_encoder
from toklab.tokenizers.baselines.rate_search import COARSEST, FINEST, TOLERANCE
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerError
from torch import Tensor
from torch.nn import functional as F

FEW, MANY = 20, 64
"""Bits for each latent position."""
FAST = {"libx264": "veryfast", "libx265": "veryfast", "libsvtav1": "10", "libvpx-vp9": "5", "libvvenc": "faster"}
every_codec = pytest.mark.parametrize("codec", [name for name in CODECS if has_encoder(name)])


def make(codec: str = "libx264", **changes: Any) -> CodecTokenizer:
    card = load_cards()["h264-262144"]
    changes = {"codec": codec, "preset": FAST.get(codec, "")} | changes
    return CodecTokenizer(card.spec, {**card.parameters, **changes})


def panning_clip() -> Tensor:
    """(1, 3, 9, 64, 80): a smooth random picture that pans."""
    noise = torch.rand(1, 3, 12, 14, generator=torch.Generator().manual_seed(0)) * 2 - 1
    picture = F.interpolate(noise, size=(96, 112), mode="bicubic").clamp(-1, 1)
    return torch.stack([picture[..., t : t + 64, 2 * t : 2 * t + 80] for t in range(9)], dim=2)


@pytest.fixture
def clip() -> Tensor:
    return panning_clip()


@cache
def encoded_once(codec: str, bits: float) -> Encoded:
    """The clip's encoding at so many bits for each latent position, which several tests look at."""
    return make(codec, bits_per_latent_position=bits).encode(panning_clip())


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * ((a - b) / 2).pow(2).mean().log10())


@pytest.mark.slow
@every_codec
def test_the_stream_takes_the_bits_of_the_latent_or_says_why_not(clip: Tensor, codec: str) -> None:
    target = 3 * 8 * 10 * MANY
    assert make(codec, bits_per_latent_position=MANY).target_bits(9, 64, 80) == target
    encoded = encoded_once(codec, MANY)
    facts = encoded.bitstream_facts[0]
    assert encoded.bits_convention == "bitstream"
    assert facts.target_bits == target
    assert (abs(encoded.bits[0] / target - 1) <= TOLERANCE) == (facts.off_target == "")
    assert abs(encoded.bits[0] / target - 1) <= 0.1


@pytest.mark.slow
@every_codec
def test_more_bits_give_a_better_clip(clip: Tensor, codec: str) -> None:
    few, many = (psnr(make(codec).decode(encoded_once(codec, bits)), clip) for bits in (FEW, MANY))
    assert few < many
    assert many > 20


@pytest.mark.slow
def test_with_bits_enough_only_the_colour_conversion_is_lost(clip: Tensor) -> None:
    grey = clip.mean(1, keepdim=True).expand(-1, 3, -1, -1, -1)
    tokenizer = make(bits_per_latent_position=100_000)
    assert psnr(tokenizer.decode(tokenizer.encode(grey)), grey) > 50


@pytest.mark.slow
@every_codec
def test_colours_survive(codec: str) -> None:
    colours = [(1, -1, -1), (-1, 1, -1), (-1, -1, 1), (1, 1, 1), (-1, -1, -1), (0.2, -0.4, 0.6)]
    stripes = torch.tensor(colours, dtype=torch.float32).T.repeat_interleave(32, 1)
    video = stripes.view(1, 3, 1, 1, 192).expand(1, 3, 5, 32, 192)
    tokenizer = make(codec, bits_per_latent_position=200)
    decoded = tokenizer.decode(tokenizer.encode(video))
    # Chroma of half the resolution blends neighbours at their borders.
    inside = (torch.arange(192) % 32 - 15.5).abs() < 12
    assert psnr(decoded[..., inside], video[..., inside]) > 38


@pytest.mark.slow
@every_codec
def test_an_encoding_is_the_same_again_in_whatever_batch(clip: Tensor, codec: str) -> None:
    tokenizer = make(codec, bits_per_latent_position=FEW)
    batch = tokenizer.encode(torch.cat([clip.flip(4), clip]))
    assert batch.bitstreams[1:] == encoded_once(codec, FEW).bitstreams != batch.bitstreams[:1]
    assert tokenizer.decode(batch).shape == (2, 3, 9, 64, 80)


@pytest.mark.slow
@pytest.mark.sampled(7)
@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 33), (5, 31, 64), (17, 40, 24)])
@every_codec
def test_any_length_and_size_comes_back_as_it_was(shape: tuple[int, int, int], codec: str) -> None:
    video = torch.zeros(1, 3, *shape)
    tokenizer = make(codec)
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape


@pytest.mark.slow
@every_codec
def test_streams_that_cannot_be_small_or_large_enough_say_so(clip: Tensor, codec: str) -> None:
    small = make(codec, bits_per_latent_position=0.1).encode(clip)
    assert small.bits[0] > 3 * 8 * 10 * 0.1
    assert small.bitstream_facts[0].off_target == COARSEST
    large = make(codec, bits_per_latent_position=100_000).encode(clip)
    assert large.bits[0] < 3 * 8 * 10 * 100_000
    assert large.bitstream_facts[0].off_target == FINEST


@pytest.mark.slow
def test_vp9_counts_its_frames_without_the_headers_of_their_container() -> None:
    encoded = encoded_once("libvpx-vp9", FEW)
    stream, sizes = encoded.bitstreams[0], []
    rest = stream[32:]
    while rest:
        sizes.append(int.from_bytes(rest[:4], "little"))
        rest = rest[12 + sizes[-1] :]
    assert stream.startswith(b"DKIF")
    assert encoded.bits == [8 * sum(sizes)]


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "messages"), [("libx265", {39, 40}), ("libvvenc", {23, 24})])
def test_streams_hold_no_messages(codec: str, messages: set[int]) -> None:
    stream = encoded_once(codec, FEW).bitstreams[0]
    units = stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    # The type of a unit is in the second byte's upper bits in VVC, in the first byte's in HEVC.
    types = {unit[1] >> 3 if codec == "libvvenc" else unit[0] >> 1 & 63 for unit in units}
    assert types
    assert not types & messages


@pytest.mark.slow
def test_the_stream_is_plain_h264_of_one_group_without_messages(tmp_path: Path) -> None:
    stream = encoded_once("libx264", FEW).bitstreams[0]
    units = [unit[0] & 31 for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
    assert units.count(5) == 1
    assert set(units) <= {1, 5, 7, 8}
    path = tmp_path / "clip.h264"
    path.write_bytes(stream)
    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "null", "-"], check=True)


@pytest.mark.slow
def test_precision_of_the_settings_does_not_touch_the_pixels(clip: Tensor) -> None:
    card = load_cards()["h264-32768"]
    streams = {
        build_tokenizer(card, InferenceSettings(precision=precision)).encode(clip).bitstreams
        for precision in ("float32", "bfloat16")
    }
    assert len(streams) == 1


@pytest.mark.slow
@every_codec
def test_streams_name_encoder_version_and_preset(codec: str) -> None:
    tokenizer = make(codec)
    described = encoded_once(codec, FEW).bitstream_facts[0].encoder
    assert re.fullmatch(rf"{CODECS[codec].title} (core )?v?\d[\w.+-]*( \w+)?, preset {FAST[codec]}", described)
    assert tokenizer.encoder_version.startswith(f"{described}, ffmpeg ")


def test_an_encoder_that_ffmpeg_lacks_names_the_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toklab.tokenizers.baselines.codec.has_encoder", lambda encoder: False)
    with pytest.raises(TokenizerError, match=r"without libvvenc; set IMAGEIO_FFMPEG_EXE .*--enable-libvvenc"):
        make("libvvenc")


def test_a_clip_with_nan_is_refused(clip: Tensor) -> None:
    clip[0, 0, 3] = float("nan")
    with pytest.raises(TokenizerError, match="NaN"):
        make().encode(clip)


def test_every_codec_has_cards_at_the_same_bits() -> None:
    cards = [card for card in load_cards().values() if card.adapter.endswith(":CodecTokenizer")]
    bits = {
        codec: {c.parameters["bits_per_latent_position"] for c in cards if c.parameters["codec"] == codec}
        for codec in CODECS
    }
    assert set(map(frozenset, bits.values())) == {frozenset({12, 15, 18, 64})}
    assert all(card.parameters["preset"] in card.spec.title for card in cards)


@pytest.mark.parametrize("preset", ["", "slow -f h264 -y {file} -c:v libx264", "slow\n", "../slow"])
def test_a_preset_is_a_word_and_brings_no_arguments(preset: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    with pytest.raises(TokenizerError, match=r"a preset is a word of letters, digits and '-'"):
        make(preset=preset.format(file=file)).encode(panning_clip())
    assert file.read_text() == "mine"


@pytest.mark.slow
def test_failures_surface(clip: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TokenizerError, match=r"ffmpeg failed .*preset"):
        make(preset="quickest").encode(clip)
    with pytest.raises(TokenizerError, match=r"the codec is one of libx264, .*not 'libtheora'"):
        make(codec="libtheora")
    with pytest.raises(TokenizerError, match="bits_per_latent_position must be more than 0"):
        make(bits_per_latent_position=0)
    with pytest.raises(TokenizerError, match="unknown crf"):
        make(crf=3)
    with pytest.raises(TokenizerError, match="temporal_compression 4, not 8"):
        make(temporal_compression=8)
    encoded = encoded_once("libx264", FEW)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", shutil.which("false") or "")
    with pytest.raises(TokenizerError, match="ffmpeg failed with status 1"):
        make().decode(encoded)


def _rate_in_stream(stream: bytes) -> str:
    """The rate of fields, two a frame, that an H.264 stream announces, as ffmpeg prints it."""
    command = [get_ffmpeg_exe(), "-hide_banner", "-f", "h264", "-i", "-"]
    said = subprocess.run(command, input=stream, capture_output=True, check=False).stderr.decode()
    found = re.search(r"([\d.]+) tbr", said)
    assert found is not None, said
    return found[1]


@pytest.mark.slow
def test_the_encoder_is_told_each_clips_own_frame_rate(clip: Tensor) -> None:
    tokenizer = make()
    tokenizer.clip_fps = [24.0, 60.0]
    encoded = tokenizer.encode(torch.cat([clip, clip]))
    assert [_rate_in_stream(stream) for stream in encoded.bitstreams] == ["48", "120"]
    tokenizer.clip_fps = [0.0]
    assert _rate_in_stream(tokenizer.encode(clip).bitstreams[0]) == "50"
