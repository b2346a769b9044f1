"""Every family on a GPU that isn't there: nothing is left on the CPU, and the host never waits for a value unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from fake_gpu import GPU, FakeGpu, HiddenWait
from toklab.tokenizers.adapters import current_path
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerSpec, VideoTokenizer
from toklab.tokenizers.streaming import StreamingTokenizer
from torch import Tensor
from torch._subclasses.fake_tensor import DynamicOutputShapeException

EXEMPT = {
    "tokenizers.baselines.cosmos.torchscript": "TorchScript archives hold code that torch's fake tensors can't enter",
    "tokenizers.baselines.codec": "codecs are programs of the CPU",
    "tokenizers.baselines.bridge": "a process of its own computes",
}
"""Adapters that can't be tried so, and why."""

MAY_WAIT: dict[str, str] = {}
"""Places in tokenizers where the host may wait for the GPU, and why; there is none."""

CARDS = (
    "bicubic-4chn",
    "area-4chn",
    "cdt-tiny-small",
    "cosmos-tiny-cv",
    "cosmos-tiny-dv",
    "cv-vae-tiny-4chn",
    "direct-tiny-8x",
    "leanvae-tiny",
    "omnitokenizer-tiny-vae",
    "omnitokenizer-tiny-vq",
    "open-magvit2-tiny",
    "opensora-plan-tiny",
    "opensora-tiny",
    "progressive-tiny-4x",
    "progressive-tiny-8x",
    "taehv-tiny",
    "vidtok-tiny-fsq-32768",
    "vidtok-tiny-kl-4chn",
    "vidtok-tiny-kl-4chn_v1_1",
    "wf-vae-tiny",
)

DIFFUSERS = "tokenizers.baselines.diffusers_autoencoder"
OF_DIFFUSERS = (
    "cogvideox-2b",
    "cosmos-1.0-cv-8x8x8",
    "easyanimate-v5",
    "hunyuanvideo",
    "hunyuanvideo-1.5",
    "kvae-3d",
    "ltx-video-0.9.1",
    "ltx-2",
    "mochi-1",
    "qwen-image",
    "sd-vae-ft-mse",
    "svd",
    "vidtok_fsq_causal_488_32768_v1_1-diffusers",
    "wan2.2",
)
"""One card of each of its classes whose network can be made small."""

STREAMING: dict[str, dict[str, object]] = {
    "cdt-tiny-small": {"chunk_frames": 8},
    "cv-vae-tiny-4chn": {},
    "leanvae-tiny": {"chunk_frames": 8},
    "opensora-plan-tiny": {"chunk_frames": 8, "chunk_mode": "official"},
    "opensora-tiny": {},
    "progressive-tiny-8x": {"chunk_frames": 17, "chunk_mode": "official"},
    "vidtok-tiny-fsq-32768": {"chunk_frames": 8},
    "vidtok-tiny-kl-4chn_v1_1": {"chunk_frames": 8},
    "wf-vae-tiny": {"chunk_frames": 8},
}
"""Those that take clips in pieces, and the settings with which they do."""
FRAMES = 9
SIDE = 32


@cache
def cards() -> dict[str, Card]:
    return load_cards()


def adapter(card: Card) -> str:
    return current_path(card.adapter).partition(":")[0].removeprefix("toklab.")


class Compiled(list[object]):
    """Functions that torch.compile was given, each as often as it was called; they stay as they are."""

    uncalled: dict[object, str]
    """Those that were never called, and whose they are."""


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """What torch.compile was given."""
    called = Compiled()
    called.uncalled = {}

    def compile_(function: Callable[..., object], *, mode: str) -> Callable[..., object]:
        assert mode == "default"
        called.uncalled[function] = type(getattr(function, "__self__", function)).__name__

        def noted(*args: object, **kwargs: object) -> object:
            called.append(function)
            called.uncalled.pop(function, None)
            return function(*args, **kwargs)

        return noted

    monkeypatch.setattr(torch, "compile", compile_)
    return called


def check_in_both_precisions(card: Card, compiled: Compiled, side: int = SIDE) -> None:
    """Encode and decode two clips on the GPU, in float32 with settings of networks, and look where everything is."""
    is_network = not adapter(card).endswith("resize")
    plain = (
        InferenceSettings(compile="default", memory_format="channels_last_3d") if is_network else InferenceSettings()
    )
    for settings in (plain, InferenceSettings(precision="bfloat16")):
        tokenizer = build_tokenizer(card, InferenceSettings(precision=settings.precision))
        tokenizer.settings = settings
        with FakeGpu(MAY_WAIT) as gpu:
            tokenizer.to(GPU)
            video = gpu.empty(2, 3, FRAMES, side, side)
            compiled.clear()
            encoded = tokenizer.encode(video, [torch.Generator(), torch.Generator()])
            tensors = [encoded.latents, encoded.kl_nats, *encoded.codes]
            assert {tensor.device for tensor in tensors if tensor is not None} == {GPU}
            assert bool(compiled) == (settings.compile != "off"), "encoding calls nothing that was compiled"
            compiled.clear()
            decoded = tokenizer.decode(encoded)
            assert (decoded.device, decoded.shape, decoded.dtype) == (GPU, video.shape, torch.float32)
            assert bool(compiled) == (settings.compile != "off"), "decoding calls nothing that was compiled"
            assert not list(compiled.uncalled.values()), "compiled, but never called"
        assert not gpu.waits


def test_every_family_is_tried_or_exempt() -> None:
    families = {adapter(card) for card in cards().values()}
    tried = {adapter(cards()[name]) for name in CARDS} | {DIFFUSERS}
    assert families | {"tokenizers.baselines.bridge"} == tried | set(EXEMPT)
    assert not tried & set(EXEMPT)


@pytest.mark.slow
@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", CARDS)
def test_a_family_encodes_and_decodes_on_the_gpu(name: str, compiled: Compiled) -> None:
    if name.startswith(("cosmos", "opensora-tiny")):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    check_in_both_precisions(cards()[name], compiled)


@pytest.mark.slow
@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_an_autoencoder_of_diffusers_does_so(name: str, tmp_path: Path, compiled: Compiled) -> None:
    pytest.importorskip("diffusers", reason="the extra diffusers")
    from tiny_autoencoders import tiny_card

    check_in_both_precisions(tiny_card(name, tmp_path), compiled, 64 if name == "ltx-2" else SIDE)


@pytest.mark.slow
def test_every_family_that_takes_pieces_is_tried() -> None:
    built = {name: build_tokenizer(cards()[name]) for name in CARDS}
    taking = {adapter(cards()[name]) for name, one in built.items() if isinstance(one, StreamingTokenizer)}
    assert {adapter(cards()[name]) for name in STREAMING} == taking


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), STREAMING.items())
def test_a_family_streams_on_the_gpu(name: str, settings: dict[str, object]) -> None:
    tokenizer = build_tokenizer(cards()[name], InferenceSettings.from_mapping(settings))
    assert isinstance(tokenizer, StreamingTokenizer)
    assert tokenizer.can_stream
    with FakeGpu(MAY_WAIT) as gpu:
        tokenizer.to(GPU)
        pieces = (gpu.empty(1, 3, num_frames, SIDE, SIDE) for num_frames in (9, 9))
        made = list(tokenizer.reconstruct_stream(pieces, [torch.Generator()]))
        assert {piece.device for piece in made} == {GPU}
        assert sum(piece.shape[2] for piece in made) == 18
    assert not gpu.waits


class Careless(VideoTokenizer):
    """Encodes by a function that a test gives it; its shift is a tensor that nobody moves."""

    def __init__(self, work: Callable[[Tensor, Tensor], object]):
        spec = TokenizerSpec("careless", "test", "Careless", "ae", True, 1, 1, latent_channels=3)
        super().__init__(spec)
        self._work = work
        self._shift = torch.ones(3, 1, 1, 1)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        self._work(video, self._shift)
        return Encoded(latents=video)

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        return encoded.latents


CARELESS: dict[str, tuple[Callable[[Tensor, Tensor], object], type[Exception], str]] = {
    "a buffer left on the CPU": (lambda x, shift: x + shift, Exception, "same device|two different devices"),
    "item": (lambda x, _: x.max().item(), HiddenWait, "waits for the GPU"),
    "tolist": (lambda x, _: x[0, 0, 0, 0].tolist(), HiddenWait, "waits for the GPU"),
    "a branch": (lambda x, _: 1 if x.max() > 0 else 2, HiddenWait, "waits for the GPU"),
    "equal": (lambda x, _: torch.equal(x, x), HiddenWait, "waits for the GPU"),
    "a copy to the CPU": (lambda x, _: x.cpu(), HiddenWait, "waits for the GPU"),
    "a shape of values": (lambda x, _: x[x > 0], DynamicOutputShapeException, "aten"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CARELESS)
def test_what_is_careless_is_found(name: str) -> None:
    work, error, message = CARELESS[name]
    tokenizer = Careless(work)
    with FakeGpu(MAY_WAIT) as gpu, pytest.raises(error, match=message):
        tokenizer.encode(gpu.empty(1, 3, 2, 8, 8))


def test_what_is_named_may_wait_and_is_counted() -> None:
    with FakeGpu({"tokenizers.interface:VideoTokenizer.encode"}) as gpu:
        Careless(lambda x, _: x.max().item()).encode(gpu.empty(1, 3, 2, 8, 8))
    assert gpu.waits == {"tokenizers.interface:VideoTokenizer.encode": 1}
