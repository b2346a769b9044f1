"""Long windows in pieces: the same figures as in one, in memory that doesn't grow, and failures that stay theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fake_tokenizers import Average
from hypothesis import given, settings
from hypothesis import strategies as st
from live_tensors import live_tensor_bytes
from metric_windows import make_batch, make_metric, random_video
from toklab.bench.analysis.results import read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.catalog.catalog import tokenizers
from toklab.bench.execution import long_windows
from toklab.bench.execution.device import open_device
from toklab.bench.execution.forward import ForwardResult, forward_pieces
from toklab.bench.execution.long_windows import LongClip, gather_pieces
from toklab.bench.execution.reconstruction_checks import RuleBroken
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.metrics import METRICS
from toklab.datasets.interface import Clip, FailedClip, UnreadableVideo, Window
from toklab.tokenizers.interface import Encoded, InferenceSettings
from toklab.tokenizers.streaming import StreamingTokenizer

DISCRETE, CONTINUOUS = "vidtok-tiny-fsq-32768", "vidtok-tiny-kl-4chn"
PIECEWISE = [name for name in METRICS if make_metric(name).piecewise and not name.startswith("lpips")]
OVERLAPPING = InferenceSettings(chunk_frames=17, chunk_mode="official", chunk_overlap=4)
CPU = open_device("cpu")


def piece(source: str, start: int, num_frames: int, of: int, side: int = 16) -> Clip:
    video = torch.full((3, num_frames, side, side), start / 1000)
    return Clip(source, "0" * 64, Window(0, tuple(range(of))), 1, 30.0, "pyav", video, start)


def failure(source: str, of: int) -> FailedClip:
    return FailedClip(source, "0" * 64, Window(0, tuple(range(of))), "pyav", f"{source} is damaged")


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [DISCRETE, CONTINUOUS])
def test_pieces_give_the_figures_of_the_whole(
    name: str, tmp_path: Path, make_video: Callable, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "whole-videos" / "long.mp4", 70)
    make_video(tmp_path / "whole-videos" / "short.mp4", 18)
    tables, kept = {}, {}
    for piece_frames in (10, 1000):
        monkeypatch.setattr(long_windows, "PIECE_FRAMES", piece_frames)
        out = tmp_path / str(piece_frames)
        summary, _ = run_suite(
            out,
            (name,),
            ("psnr", "ssim", "bpp", "bpp-kl", "codebook-utilization"),
            {"posterior": "sample", "chunk_frames": 8},
            tmp_path / "whole-videos",
            protocol="vidtok-long",
            keep_reconstructions=None,
        )
        assert summary.exit_code == 0
        with Ledger(out) as ledger:
            tables[piece_frames] = results_table(read_results(ledger)).set_index("metric")
        kept[piece_frames] = {path.name: path.read_bytes() for path in (out / "reconstructions").rglob("*.mkv")}
    pieced, whole = tables[10], tables[1000]
    assert len(pieced) == 4
    pd.testing.assert_series_equal(pieced["value"], whole["value"], rtol=1e-5)
    pd.testing.assert_series_equal(pieced["count"], whole["count"])
    assert kept[10].keys() == kept[1000].keys()
    assert len(kept[10]) == 2


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("leaks", [False, True])
def test_memory_does_not_grow_with_the_window(leaks: bool) -> None:
    """Growth after the first pieces, with frames that weigh far more than the model's state; a leak is seen."""
    tokenizer = tokenizers().entry(DISCRETE).build(InferenceSettings(chunk_frames=8))
    assert isinstance(tokenizer, StreamingTokenizer)
    num_frames, side, of = 10, 32, 100
    piece_bytes = 4 * 3 * num_frames * side**2

    def stream() -> Iterator[Clip]:
        return (piece("a", start, num_frames, of, side) for start in range(num_frames, of, num_frames))

    held: list[int] = []
    kept: list[torch.Tensor] = []
    long = LongClip(piece("a", 0, num_frames, of, side), stream())
    num_given = 0
    for result in forward_pieces(tokenizer, long, CPU):
        num_given += result.reference.shape[2]
        assert result.reference.shape == result.reconstruction.shape
        if leaks:
            kept.append(result.reconstruction)
        del result
        held.append(live_tensor_bytes())
    assert num_given == of
    growth = max(held[5:]) - max(held[:5])
    # Between two readings, at most one piece more may wait for its other half.
    assert (growth > 3 * piece_bytes) if leaks else (growth <= piece_bytes)


def streamed(tokenizer: StreamingTokenizer, video: torch.Tensor, piece_frames: int) -> Iterator[ForwardResult]:
    """The results of a clip (1, 3, T, H, W) that comes in pieces."""
    window = Window(0, tuple(range(video.shape[2])))
    starts = range(0, video.shape[2], piece_frames)
    pieces = [
        Clip("a", "0" * 64, window, 1, 30.0, "memory", video[0, :, start : start + piece_frames], start)
        for start in starts
    ]
    return forward_pieces(tokenizer, LongClip(pieces[0], iter(pieces[1:])), CPU)


def test_overlapping_chunks_that_end_in_a_piece_without_codes_lose_no_frame_and_no_code() -> None:
    """Thirty frames are two chunks of 17, whose four shared frames and the last four come as pieces of their own."""
    tokenizer = tokenizers().entry("progressive-tiny-8x").build(OVERLAPPING)
    assert isinstance(tokenizer, StreamingTokenizer)
    video = torch.rand(1, 3, 30, 8, 8) * 2 - 1
    whole = tokenizer.encode(video)
    assert whole.kl_nats is not None
    results = list(streamed(tokenizer, video, 10))
    assert [result.encoded.num_tokens for result in results] == [3, 3, 0]
    torch.testing.assert_close(torch.cat([result.reference for result in results], 2), video)
    made = torch.cat([result.reconstruction for result in results], 2)
    torch.testing.assert_close(made, tokenizer.decode(whole))
    encodings = [result.encoded for result in results]
    latents = [encoded.latents for encoded in encodings if encoded.latents is not None]
    torch.testing.assert_close(torch.cat(latents, 2), whole.latents)
    assert sum(float(encoded.kl_nats.sum()) for encoded in encodings if encoded.kl_nats is not None) == pytest.approx(
        float(whole.kl_nats)
    )
    for name in ("bpp", "bpp-kl"):
        metric = make_metric(name)
        measured = [
            metric.measure(make_batch(result.reference, result.reconstruction, result.encoded))[0] for result in results
        ]
        expected = metric.measure(make_batch(video, made, whole))[0]
        for key, array in metric.join(measured).items():
            np.testing.assert_allclose(array, expected[key], rtol=1e-6)


def test_codes_are_counted_where_a_piece_has_none() -> None:
    metric, video = make_metric("codebook-utilization"), torch.zeros(1, 3, 2, 8, 8)
    codes = torch.tensor([[[[1, 1]], [[4, 7]]]])
    some, none = (Encoded(codes=(codes[:, :count],), codebook_sizes=(9,)) for count in (2, 0))
    joined = metric.join([metric.measure(make_batch(video, video, encoded))[0] for encoded in (some, none)])
    assert (joined["codes_0"].tolist(), joined["counts_0"].tolist()) == ([1, 4, 7], [2, 1, 1])


class OnePiece(Average, StreamingTokenizer):
    """Encodes each piece, and decodes them all at once."""

    can_stream = True  # type: ignore[assignment]

    def _encode_stream(
        self, frames: Iterable[torch.Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        return (Average._encode(self, piece, generators) for piece in frames)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[torch.Tensor]:
        yield torch.cat([Average._decode(self, piece) for piece in encoded], 2)


def test_codes_that_belong_to_no_frames_are_an_error() -> None:
    with pytest.raises(RuleBroken, match="encoded 2 pieces more than it decoded"):
        list(streamed(OnePiece(), torch.rand(1, 3, 15, 8, 8), 5))


@pytest.mark.slow
def test_metrics_that_need_the_whole_window_get_it(tmp_path: Path, make_video: Callable, run_suite: Callable) -> None:
    make_video(tmp_path / "whole-videos" / "long.mp4", 81)
    summary, progress = run_suite(
        tmp_path / "run",
        (DISCRETE,),
        ("psnr", "flicker"),
        {"chunk_frames": 16},
        tmp_path / "whole-videos",
        protocol="vidtok-long",
    )
    assert (summary.exit_code, progress.windows) == (0, 1)
    with Ledger(tmp_path / "run") as ledger:
        table = results_table(read_results(ledger)).set_index("metric")
    assert table.loc["psnr", "count"] == 81
    assert table.loc["flicker", "count"] == 80


def test_a_window_that_breaks_off_fails_and_the_next_one_goes_on() -> None:
    items = [piece("a", 0, 4, 10), piece("a", 4, 4, 10), failure("a", 10), piece("b", 0, 4, 8), piece("b", 4, 4, 8)]
    given = gather_pieces([*items, piece("c", 0, 5, 5)])
    first = next(given)
    assert isinstance(first, LongClip)
    with pytest.raises(UnreadableVideo, match="a is damaged"):
        list(first.pieces())
    second = next(given)
    assert isinstance(second, LongClip)
    assert second.first.source == "b"
    # What nobody asked for is left out, so that the next window is the next item.
    third = next(given)
    assert isinstance(third, Clip)
    assert third.source == "c"
    assert list(given) == []


@pytest.mark.parametrize("name", PIECEWISE)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
@settings(max_examples=10)
def test_joined_measurements_are_those_of_the_whole(name: str, lengths: list[int]) -> None:
    metric = make_metric(name)
    num_frames = sum(lengths)
    x, y = random_video(0, (1, 3, num_frames, 12, 12)), random_video(1, (1, 3, num_frames, 12, 12))
    codes = torch.randint(0, 9, (1, num_frames, 2, 2))
    nats = torch.rand(1, num_frames)

    def encoded(part: slice) -> Encoded:
        return Encoded(codes=(codes[:, part],), codebook_sizes=(9,), kl_nats=nats[:, part].sum(1))

    whole = metric.measure(make_batch(x, y, encoded(slice(None))))[0]
    ends = np.cumsum(lengths)
    parts = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    pieces = [metric.measure(make_batch(x[:, :, part], y[:, :, part], encoded(part)))[0] for part in parts]
    for joined in (metric.join(pieces), metric.join([metric.join(pieces[:1]), *pieces[1:]])):
        assert joined.keys() == whole.keys()
        for key, array in whole.items():
            np.testing.assert_allclose(joined[key], array, rtol=1e-6, err_msg=f"{name}: {key}")
            assert joined[key].dtype == array.dtype
