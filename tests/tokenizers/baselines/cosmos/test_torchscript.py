"""The archives as they are: what they give, what they need, and whom they are trusted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cosmos_archives import (
    ToyContinuousDecoder,
    ToyContinuousEncoder,
    ToyDiscreteDecoder,
    ToyDiscreteEncoder,
)
from toklab.tokenizers import checkpoints
from toklab.tokenizers.card import Card, CheckpointSource
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import CheckpointUnavailable, InferenceSettings, TokenizerError
from toklab.tokenizers.trust.weight_files import sha256_of

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")

ARCHIVES = {"cv": (ToyContinuousEncoder, ToyContinuousDecoder), "dv": (ToyDiscreteEncoder, ToyDiscreteDecoder)}
MakeCard = Callable[..., Card]


@pytest.fixture
def make_archives(tmp_path: Path) -> MakeCard:
    """Writes toy archives and gives the card of the official ones, changed to name these."""

    def make(kind: str, *, known: bool = True, dtype: torch.dtype = torch.float32) -> Card:
        encoder, decoder = (module() for module in ARCHIVES[kind])
        video = torch.zeros(1, 3, 5, 16, 16)
        examples = {"encoder.jit": (encoder, video), "decoder.jit": (decoder, encoder(video)[0])}
        for name, (module, example) in examples.items():
            traced = torch.jit.trace(module, example)
            assert isinstance(traced, torch.jit.ScriptModule)
            traced.to(dtype=dtype).save(str(tmp_path / name))
        hashes = [sha256_of(tmp_path / name) if known else "" for name in examples]
        second = CheckpointSource(path="decoder.jit", sha256=hashes[1])
        checkpoint = CheckpointSource(path="encoder.jit", sha256=hashes[0], also=second)
        card = load_cards()[f"cosmos-{kind}-4x8x8-torchscript"]
        return replace(card, checkpoint=checkpoint, source=tmp_path / "card.toml")

    return make


def test_a_continuous_archive_encodes_and_decodes(make_archives: MakeCard) -> None:
    tokenizer = build_tokenizer(make_archives("cv"))
    video = torch.rand(1, 3, 4, 8, 8)[:, :, :1].expand(-1, -1, 4, -1, -1).mean((3, 4), keepdim=True)
    video = video.expand(-1, -1, -1, 16, 16)
    encoded = tokenizer.encode(video)
    assert encoded.latents is not None
    assert encoded.latents.shape == (1, 3, 2, 2, 2)
    assert not encoded.codes
    torch.testing.assert_close(tokenizer.decode(encoded), video)


def test_a_discrete_archive_gives_indices_and_decodes_them(make_archives: MakeCard) -> None:
    tokenizer = build_tokenizer(make_archives("dv"))
    video = torch.full((1, 3, 5, 16, 16), 0.25)
    encoded = tokenizer.encode(video)
    (indices,) = encoded.codes
    assert indices.dtype == torch.int64
    assert indices.unique().tolist() == [round(0.625 * 63_999)]
    assert encoded.codebook_sizes == (64_000,)
    torch.testing.assert_close(tokenizer.decode(replace(encoded, latents=None)), video, rtol=0, atol=1e-4)


def test_an_unknown_archive_loads_only_if_the_user_trusts_it(
    make_archives: MakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_archives("cv", known=False)
    with pytest.raises(TokenizerError, match=r"encoder\.jit: a TorchScript archive is code.*--trust-torchscript"):
        build_tokenizer(card)
    monkeypatch.setenv("TOKLAB_TRUST_TORCHSCRIPT", "0")
    with pytest.raises(TokenizerError, match="is code"):
        build_tokenizer(card)
    monkeypatch.setenv("TOKLAB_TRUST_TORCHSCRIPT", "1")
    assert set(build_tokenizer(card).modules()) == {"encoder", "decoder"}


def test_both_hashes_must_be_known_and_right(make_archives: MakeCard) -> None:
    card = make_archives("cv")
    also = card.checkpoint.also
    assert also is not None
    unknown = replace(card, checkpoint=replace(card.checkpoint, also=replace(also, sha256="")))
    with pytest.raises(TokenizerError, match="is code"):
        build_tokenizer(unknown)
    wrong = replace(card, checkpoint=replace(card.checkpoint, also=replace(also, sha256="0" * 64)))
    with pytest.raises(TokenizerError, match=r"decoder\.jit has SHA-256"):
        build_tokenizer(wrong)


def test_both_archives_must_be_there_and_make_up_the_identity(make_archives: MakeCard, tmp_path: Path) -> None:
    card = make_archives("cv")
    path = checkpoints.resolve(card)
    identity = checkpoints.weights_identity(card, path)
    assert all(sha256_of(tmp_path / name) in identity for name in ("encoder.jit", "decoder.jit"))
    (tmp_path / "decoder.jit").unlink()
    with pytest.raises(CheckpointUnavailable, match=r"encoder\.jit and decoder\.jit is not.*Put .*decoder\.jit there"):
        build_tokenizer(card)


def test_half_precision_needs_a_cuda_device(make_archives: MakeCard) -> None:
    with pytest.raises(TokenizerError, match=r"bfloat16.*CUDA"):
        build_tokenizer(make_archives("cv", dtype=torch.bfloat16))


def test_a_damaged_archive_is_named(make_archives: MakeCard, tmp_path: Path) -> None:
    card = make_archives("cv")
    damaged = (tmp_path / "decoder.jit").read_bytes()[:100]
    (tmp_path / "decoder.jit").write_bytes(damaged)
    also = CheckpointSource(path="decoder.jit", sha256=sha256_of(tmp_path / "decoder.jit"))
    with pytest.raises(TokenizerError, match=r"decoder\.jit: damaged"):
        build_tokenizer(replace(card, checkpoint=replace(card.checkpoint, also=also)))


def test_what_cannot_be_done_is_said(make_archives: MakeCard) -> None:
    card = make_archives("cv")
    with pytest.raises(TokenizerError, match="precision"):
        build_tokenizer(card, InferenceSettings(precision="bfloat16"))
    with pytest.raises(TokenizerError, match="take no parameters"):
        build_tokenizer(replace(card, parameters={"channels": 4}))
    with pytest.raises(TokenizerError, match="two archives"):
        build_tokenizer(replace(card, checkpoint=replace(card.checkpoint, also=None)))
    unloaded = build_on_meta(card)
    assert not unloaded.modules()
    with pytest.raises(TokenizerError, match="no weights"):
        unloaded.encode(torch.zeros(1, 3, 1, 8, 8))
