from __future__ import annotations

import gc
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toklab.tokenizers.baselines.bridge import BridgeTokenizer
from toklab.tokenizers.baselines.bridge_process import select
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.catalog import build_tokenizer
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerError, TokenizerSpec
from toklab.tokenizers.trust.cards import TRUST_VARIABLE

REPOSITORY = """
    # A top-level package called `models`, as many repositories have one.
    import torch
    from torch import nn
    from models.parts import Posterior

    print("Loading ...")  # must not disturb the bridge

    class Pool(nn.Module):
        '''Frames (B, T, C, H, W) in [0, 1].'''

        def __init__(self, factor=2):
            super().__init__()
            self.factor = factor
            self.gain = nn.Parameter(torch.rand(1))

        def encode(self, video):
            print("encoding", tuple(video.shape), "." * 100_000)
            assert video.min() >= 0 and video.ndim == 5
            if video.shape[1] > 8:
                raise RuntimeError("too long for me")
            z = video.unflatten(4, (-1, self.factor)).mean(5).unflatten(3, (-1, self.factor)).mean(4)
            return {"posterior": Posterior(z * self.gain)}

        def decode(self, z):
            z = (z / self.gain).repeat_interleave(self.factor, 3).repeat_interleave(self.factor, 4)
            return (z, "and something else")

        def leave(self, z):
            import os, sys
            print("out of memory, says the driver", file=sys.stderr)
            os._exit(7)
"""

PARTS = """
    import torch

    class Posterior:
        def __init__(self, mean):
            self.mean = mean

        def mode(self):
            return self.mean

        def sample(self):
            return self.mean + torch.randn_like(self.mean)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "checkout/models"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "pool.py").write_text(textwrap.dedent(REPOSITORY))
    (package / "parts.py").write_text(textwrap.dedent(PARTS))
    return tmp_path / "checkout"


def parameters(checkout: Path, **changes: Any) -> dict[str, Any]:
    return {
        "checkout_folder": str(checkout),
        "model": "models.pool:Pool",
        "arguments": {"factor": 4},
        "latents": "posterior.mode()",
        "video": "0",
        "layout": "BTCHW",
        "low": 0.0,
        "high": 1.0,
        **changes,
    }


@pytest.fixture
def make(checkout: Path) -> Callable[..., BridgeTokenizer]:
    spec = TokenizerSpec(
        name="pool",
        family="bridge",
        title="Pool",
        regularizer="ae",
        causal=False,
        temporal_compression=1,
        spatial_compression=4,
        latent_channels=3,
        size_multiple=4,
    )

    def made(settings: InferenceSettings | None = None, **changes: Any) -> BridgeTokenizer:
        kind = "kl" if settings else "ae"
        return BridgeTokenizer(replace(spec, regularizer=kind), parameters(checkout, **changes), settings)

    return made


@pytest.fixture
def clip() -> torch.Tensor:
    """(2, 3, 5, 8, 12): constant over squares of 4 × 4, which the pool gives back."""
    small = torch.rand(2, 3, 5, 2, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return small.repeat_interleave(4, 3).repeat_interleave(4, 4)


@pytest.mark.slow
def test_a_checkout_runs_in_a_process_of_its_own_that_outlives_errors_and_ends_with_its_tokenizer(
    make: Callable[..., BridgeTokenizer], clip: torch.Tensor
) -> None:
    tokenizer = make()
    tokenizer.init_random(0)
    with pytest.raises(TokenizerError, match="RuntimeError: too long for me"):
        tokenizer.encode(clip.repeat(1, 1, 2, 1, 1))
    encoded = tokenizer.encode(clip)
    assert encoded.latents is not None
    assert encoded.latents.shape == (2, 3, 5, 2, 3)
    torch.testing.assert_close(tokenizer.decode(encoded), clip, rtol=0, atol=1e-5)
    process = tokenizer._process
    assert process is not None
    del tokenizer
    gc.collect()
    assert process.poll() is not None


@pytest.mark.slow
def test_a_card_brings_checkpoint_and_checkout(
    checkout: Path, clip: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    save_file({"gain": torch.tensor([2.0])}, tmp_path / "pool.safetensors")
    card = tmp_path / "pool.toml"
    card.write_text(
        'name = "pool"\ntitle = "Pool"\nfamily = "bridge"\nadapter = ".baselines.bridge:BridgeTokenizer"\n'
        'regularizer = "ae"\ncausal = false\ntemporal_compression = 1\nspatial_compression = 4\nlatent_channels = 3\n'
        'size_multiple = 4\n[parameters]\ncheckout_folder = "checkout"\nmodel = "models.pool:Pool"\n'
        'arguments = { factor = 4 }\nlatents = "posterior.mode()"\nvideo = "0"\nlayout = "BTCHW"\nlow = 0.0\n'
        '[checkpoint]\npath = "pool.safetensors"\n'
    )
    tokenizer = build_tokenizer(read_card(card))
    encoded = tokenizer.encode(clip)
    pooled = torch.nn.functional.avg_pool3d((clip + 1) / 2, (1, 4, 4))
    assert encoded.latents is not None
    torch.testing.assert_close(encoded.latents, 2 * pooled)
    in_half = build_tokenizer(read_card(card), InferenceSettings(precision="bfloat16")).encode(clip)
    assert in_half.latents is not None
    assert in_half.latents.dtype == torch.bfloat16
    torch.testing.assert_close(in_half.latents.float(), 2 * pooled, rtol=0.02, atol=0.02)


@pytest.mark.slow
def test_a_process_that_dies_leaves_its_last_words(make: Callable[..., BridgeTokenizer], clip: torch.Tensor) -> None:
    tokenizer = make(decode="leave")
    tokenizer.init_random(0)
    with pytest.raises(TokenizerError, match=r"Exit code 7\n(.*\n)*out of memory, says the driver"):
        tokenizer.decode(tokenizer.encode(clip))


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"python": "/nowhere/python"}, "/nowhere/python can't be started"),
        ({"model": "models.pool:Pond"}, "has no attribute 'Pond'"),
        ({"arguments": {"size": 4}}, "unexpected keyword argument 'size'"),
        ({"model": "models.lake:Pool"}, "No module named 'models.lake'"),
    ],
)
def test_what_cannot_be_built_is_named(
    make: Callable[..., BridgeTokenizer], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TokenizerError, match=problem):
        make(**changes).init_random(0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checkout_folder": "nowhere"}, "clone the repository there"),
        ({"model": "models.pool"}, "module:callable"),
        ({"layout": "THWC"}, "layout must be one of BCTHW, BTCHW"),
        ({"colour": "red"}, "unknown colour"),
    ],
)
def test_wrong_parameters_are_named(
    make: Callable[..., BridgeTokenizer], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TokenizerError, match=problem):
        make(**changes)


@pytest.mark.slow
def test_weights_of_another_model_are_refused(make: Callable[..., BridgeTokenizer]) -> None:
    with pytest.raises(TokenizerError, match="Missing key"):
        make().load_state({"bias": torch.zeros(1)})


@pytest.mark.slow
def test_paths_that_lead_nowhere_or_to_no_tensor_are_named(
    make: Callable[..., BridgeTokenizer], clip: torch.Tensor
) -> None:
    tokenizer = make(latents="latent_dist.mode()", video="")
    tokenizer.init_random(0)
    with pytest.raises(TokenizerError, match="a dict has no latent_dist"):
        tokenizer.encode(clip)
    encoded = Encoded(latents=torch.zeros(2, 3, 5, 2, 3), num_frames=5, height=8, width=12)
    with pytest.raises(TokenizerError, match="the result is a tuple, no tensor; say in the card where it lies: video"):
        tokenizer.decode(encoded)


@pytest.mark.slow
def test_samples_of_a_posterior_follow_from_the_seed_of_each_clip(
    make: Callable[..., BridgeTokenizer], clip: torch.Tensor
) -> None:
    settings = InferenceSettings(posterior="sample")
    with pytest.raises(TokenizerError, match="posterior=sample takes a card that says where a sample lies"):
        make(settings)
    tokenizer = make(settings, sampled_latents="posterior.sample()")
    tokenizer.init_random(0)
    two = tokenizer.encode(clip, [torch.Generator().manual_seed(seed) for seed in (1, 2)]).latents
    same, other = (tokenizer.encode(clip[1:], [torch.Generator().manual_seed(seed)]).latents for seed in (2, 3))
    assert two is not None
    assert same is not None
    assert other is not None
    assert torch.equal(two[1:], same)
    assert not torch.equal(two[1:], other)


def test_paths_select_keys_attributes_indices_and_calls() -> None:
    assert select({"a": [1, {"b": 2}]}, "a.1.b") == 2
    assert select("AbC", "lower()") == "abc"
    assert select(3, "") == 3
