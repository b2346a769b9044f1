"""The conformance test: sound tokenizers pass, each broken one fails by its rule, and every shipped family passes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
import torch
from rule_breakers import BROKEN, SOUND, WARNED
from toklab.bench.cli.main import app
from toklab.bench.conformance.adapter_rules import RULES
from toklab.bench.conformance.check_adapter import check_adapter, check_named
from toklab.bench.conformance.judgement import Verdict
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError, VideoTokenizer
from typer.testing import CliRunner

TINY = [
    name
    for name, card in load_cards().items()
    if (card.checkpoint.random_seed is not None and "tiny" in name) or card.spec.regularizer == "resize"
]


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> Iterator[None]:
    """The rule on memory looks at every object three times: those of other tests are kept out of its sight."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def verdicts(
    tokenizer: VideoTokenizer, fresh: Callable[[], VideoTokenizer] | None = None
) -> dict[str, tuple[Verdict, str]]:
    findings = check_adapter(tokenizer, fresh=fresh)
    return {finding.rule: (finding.judgement.verdict, finding.judgement.why) for finding in findings}


@pytest.mark.slow
@pytest.mark.parametrize("fake", SOUND, ids=lambda fake: fake.__name__)
def test_sound_tokenizers_pass(fake: type[VideoTokenizer]) -> None:
    found = verdicts(fake(), fake)  # type: ignore[call-arg, arg-type]
    assert set(found) == set(RULES)
    assert {rule: why for rule, (verdict, why) in found.items() if verdict in (Verdict.failed, Verdict.warned)} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("fake", "rule"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_broken_rule_is_found(fake: type[VideoTokenizer], rule: str) -> None:
    verdict, why = verdicts(fake(), fake)[rule]  # type: ignore[call-arg, arg-type]
    assert verdict is Verdict.failed
    assert why


@pytest.mark.slow
@pytest.mark.parametrize(("fake", "rule"), WARNED.items(), ids=lambda value: getattr(value, "__name__", value))
def test_what_is_no_fault_is_told(fake: type[VideoTokenizer], rule: str) -> None:
    found = verdicts(fake())  # type: ignore[call-arg]
    assert {name for name, (verdict, _) in found.items() if verdict is Verdict.warned} == {rule}
    assert Verdict.failed not in {verdict for verdict, _ in found.values()}


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", TINY)
def test_every_tiny_card_passes(name: str) -> None:
    card = load_cards()[name]
    found = verdicts(build_tokenizer(card), lambda: build_tokenizer(card))
    assert {rule: why for rule, (verdict, why) in found.items() if verdict is Verdict.failed} == {}


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["vidtok-tiny-kl-4chn", "vidtok-tiny-fsq-32768"])
def test_chunks_and_sampled_posteriors_pass(name: str) -> None:
    settings = InferenceSettings(posterior="sample", chunk_frames=4)
    found = verdicts(build_tokenizer(load_cards()[name], settings))
    assert {rule: why for rule, (verdict, why) in found.items() if verdict is Verdict.failed} == {}
    assert bool(found["noise"][1]) == ("kl" in name)


@pytest.mark.slow
def test_a_codec_passes() -> None:
    card = load_cards()["h264-32768"]
    found = verdicts(build_tokenizer(card), lambda: build_tokenizer(card))
    assert {rule for rule, (verdict, _) in found.items() if verdict is not Verdict.passed} == {"causality"}
    assert found["causality"][0] is Verdict.skipped


@pytest.mark.slow
def test_sizes_must_be_legal_and_the_global_generator_is_left_alone() -> None:
    tokenizer = SOUND[0]()  # type: ignore[call-arg]
    with pytest.raises(TokenizerError, match="multiples of 8, not 33"):
        list(check_adapter(tokenizer, side=33))
    state = torch.random.get_rng_state()
    assert not any(finding.failed for finding in check_adapter(tokenizer, side=40))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.slow
def test_lines_end_in_a_count_and_tell_whether_a_rule_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", "mean=rule_breakers:LooksAhead,sound=rule_breakers:Average")
    lines: list[str] = []
    assert not check_named("mean", (), [], "cpu", None, lines.append)
    assert lines[-1] == "10 pass, 1 FAIL"
    assert sum(line.startswith("FAIL  causality") for line in lines) == 1
    assert check_named("sound", (), [], "cpu", None, lines.append)
    assert lines[-1] == "11 pass"


@pytest.mark.slow
def test_the_command_ends_with_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["check-adapter", "bicubic-4chn", "--size", "40"]).exit_code == 0
    monkeypatch.setenv("TOKLAB_PLUGINS", "mean=rule_breakers:LooksAhead")
    assert runner.invoke(app, ["check-adapter", "mean"]).exit_code == 1
