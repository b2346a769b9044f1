from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from toklab.tokenizers.networks.quantizers import vq
from toklab.tokenizers.networks.quantizers.vq import VectorQuantizer, nearest_codes


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 5), st.integers(0, 999), st.sampled_from([1, 64, 2**22]))
@hypothesis_settings(max_examples=30)
def test_the_nearest_code_is_that_of_the_dense_float64_distances(num_vectors, num_codes, dim, seed, chunk_elements):
    generator = torch.Generator().manual_seed(seed)
    vectors, codebook = (torch.randn(n, dim, generator=generator) for n in (num_vectors, num_codes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vq, "CHUNK_ELEMENTS", chunk_elements)
        indices = nearest_codes(vectors, codebook)
    distances = torch.cdist(vectors.double(), codebook.double())
    torch.testing.assert_close(distances.gather(1, indices[:, None])[:, 0], distances.min(1).values, rtol=0, atol=1e-5)


def test_losses_and_gradients_follow_the_paper():
    quantizer = VectorQuantizer(7, 3).train()
    assert isinstance(quantizer.codebook, torch.nn.Parameter)
    features = torch.randn(2, 3, 1, 2, 5, requires_grad=True)
    quantization = quantizer(features)
    quantizer.loss(features, quantization, 0).backward()
    residual = (features - quantizer.latents_of(quantization.codes)).detach()
    scale = 2 / features.numel()
    assert features.grad is not None
    torch.testing.assert_close(features.grad, 0.25 * scale * residual)
    expected = torch.zeros(7, 3).index_add_(
        0, quantization.codes[0].flatten(), -scale * residual.movedim(1, -1).flatten(0, -2)
    )
    torch.testing.assert_close(quantizer.codebook.grad, expected)


def test_the_reconstruction_gradient_passes_straight_through_and_misses_the_codebook():
    quantizer = VectorQuantizer(7, 3).train()
    features = torch.randn(1, 3, 1, 2, 2, requires_grad=True)
    weights = torch.randn_like(features)
    (quantizer(features).latents * weights).sum().backward()
    assert features.grad is not None
    assert torch.equal(features.grad, weights)
    assert quantizer.codebook.grad is None


def test_moving_averages_equal_the_paper_in_float64():
    quantizer = VectorQuantizer(6, 2, codebook_update="ema", decay=0.8).train()
    codebook = quantizer.codebook.numpy().astype(np.float64)
    counts, sums = np.ones(6), codebook.copy()
    for step in range(5):
        features = torch.randn(2, 2, 1, 2, 3, generator=torch.Generator().manual_seed(step))
        quantizer.update(features, quantizer(features))
        vectors = features.movedim(1, -1).reshape(-1, 2).numpy().astype(np.float64)
        nearest = ((vectors[:, None] - codebook) ** 2).sum(-1).argmin(1)
        counts = 0.8 * counts + 0.2 * np.bincount(nearest, minlength=6)
        sums *= 0.8
        np.add.at(sums, nearest, 0.2 * vectors)
        codebook = sums / counts[:, None]
    np.testing.assert_allclose(quantizer.codebook.numpy(), codebook, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(quantizer.code_counts.numpy(), counts, rtol=1e-5)


def test_a_code_that_is_never_used_stays_finite_and_in_place():
    quantizer = VectorQuantizer(2, 1, codebook_update="ema", decay=0.1).train()
    quantizer.codebook.copy_(torch.tensor([[0.0], [50.0]]))
    quantizer.code_sums.copy_(quantizer.codebook)
    features = torch.randn(1, 1, 1, 4, 4)
    for _ in range(60):
        quantizer.update(features, quantizer(features))
    assert float(quantizer.codebook[1]) == pytest.approx(50.0, rel=1e-4)


@pytest.mark.parametrize("codebook_update", ["learned", "ema"])
def test_dead_codes_are_revived_from_the_batch_as_the_generator_says(codebook_update):
    features = torch.randn(1, 3, 1, 4, 4)

    def revived(seed: int) -> torch.Tensor:
        torch.manual_seed(0)
        quantizer = VectorQuantizer(32, 3, codebook_update=codebook_update, decay=0.5, revival_threshold=0.6).train()
        used = quantizer(features).codes[0].unique()
        before = quantizer.codebook.detach().clone()
        quantizer.update(features, quantizer(features), torch.Generator().manual_seed(seed))
        dead = torch.ones(32, dtype=torch.bool)
        dead[used] = False
        vectors = features.movedim(1, -1).flatten(0, -2)
        assert all((vectors == code).all(1).any() for code in quantizer.codebook.detach()[dead])
        if codebook_update == "learned":
            assert torch.equal(quantizer.codebook.detach()[used], before[used])
        assert quantizer.code_counts[dead].tolist() == [1.0] * int(dead.sum())
        return quantizer.codebook.detach()

    assert torch.equal(revived(1), revived(1))
    assert not torch.equal(revived(1), revived(2))


def test_the_entropy_terms_are_an_option():
    quantizer = VectorQuantizer(5, 2, entropy_loss_weight=0.1).train()
    features = torch.randn(1, 2, 1, 2, 2)
    terms = quantizer.loss_terms(features, quantizer(features))
    assert set(terms) == {"commitment", "codebook", "per_sample_entropy", "codebook_entropy"}
    assert float(terms["codebook_entropy"]) > 0


@pytest.mark.parametrize(
    ("parameters", "keys"),
    [
        ({}, {"codebook"}),
        ({"revival_threshold": 1.0}, {"codebook", "code_counts"}),
        ({"codebook_update": "ema"}, {"codebook", "code_counts", "code_sums"}),
    ],
)
def test_state_dict_keys(parameters, keys):
    assert set(VectorQuantizer(4, 2, **parameters).state_dict()) == keys


@pytest.mark.parametrize("wrong", [{"codebook_update": "sgd"}, {"decay": 1.0}, {"codebook_size": 0}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match=r"codebook_update|decay"):
        VectorQuantizer(**{"codebook_size": 4, "dim": 2, **wrong})
