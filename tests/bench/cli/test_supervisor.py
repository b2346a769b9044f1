"""The supervised run: a process that ends early or hangs is a failed window and a failed tokenizer, never a success."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import hostile_plugins
import pytest
from toklab.bench import evaluate, open_run
from toklab.bench.cli.supervisor import State
from toklab.bench.execution.supervision import Past, Supervision
from torch import Tensor

SUPPORT = Path(__file__).parents[2] / "support"

HANGING_CHECKOUT = """
    import os, time
    from pathlib import Path
    from torch import nn

    class Hangs(nn.Module):
        def encode(self, video):
            Path(__file__).with_name("process").write_text(str(os.getpid()))
            while True:
                time.sleep(1000)
"""
CARD = """
    name = "hanging-bridge"
    title = "Hanging"
    family = "bridge"
    adapter = ".baselines.bridge:BridgeTokenizer"
    regularizer = "ae"
    causal = true
    temporal_compression = 1
    spatial_compression = 8
    latent_channels = 3
    size_multiple = 8
    [parameters]
    checkout_folder = "checkout"
    model = "hanging:Hangs"
    [checkpoint]
    random_seed = 0
"""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the hostile plugins known, to the run and to the test that opens its folder."""
    monkeypatch.setenv("TOKLAB_PLUGINS", hostile_plugins.plugins_variable())


def run_hostile(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the hostile plugins of the words on the videos of a folder; some fail, and nothing else does."""
    command = [
        *(str(Path(sys.executable).with_name("toklab")), "run", *words, "-d", "folder:videos", "--out", "run"),
        *("--set-protocol", "height=32", "--set-protocol", "width=32", "--device", "cpu"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SUPPORT)}
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    return finished


@pytest.mark.slow
@pytest.mark.usefixtures("hostile")
@pytest.mark.thorough
def test_every_hostile_plugin_fails_alone_and_the_run_is_no_success(
    tmp_path: Path, make_video: Callable[[Path, int], Path]
) -> None:
    """One run of all of them: some raise what is no error, some end the process or hang, some change the process."""
    make_video(tmp_path / "videos" / "a.mp4", 17)
    make_video(tmp_path / "videos" / "b.mp4", 16)
    checkout = tmp_path / "cards" / "checkout"
    checkout.mkdir(parents=True)
    (checkout / "hanging.py").write_text(textwrap.dedent(HANGING_CHECKOUT))
    (tmp_path / "cards" / "card.toml").write_text(textwrap.dedent(CARD))
    raising = ["exits-in-import", "exits-in-construction", "exits-in-spec", "exits-in-encode", "interrupts-in-decode"]
    ending = ["stops-in-decode", "dies-in-construction", "dies-in-encode", "hangs", "hanging-bridge"]
    sound = ["changes-everything", "hangs-at-the-end", "average"]
    words = [word for name in (*raising, *ending, *sound) for word in ("-t", name)]
    words += [word for name in ("psnr", *hostile_plugins.METRICS) for word in ("-m", name)]
    run_hostile(tmp_path, *words, "--cards", "cards", "--forward-timeout", "20", "--trust-cards")

    run = open_run(tmp_path / "run")
    cells = {line["label"]: line for line in run.accounting().to_dict("records")}
    assert set(cells) == {*raising, *ending, *sound}
    reasons = {label: line["reason"] for label, line in cells.items() if line["status"] == "failed"}
    early = "the process ended early, with exit code 0"
    assert "SystemExit: 0" in reasons.pop("exits-in-import")
    assert reasons == {
        "exits-in-construction": "SystemExit: 0",
        "exits-in-spec": "SystemExit: 0",
        "dies-in-construction": early,
        "dies-in-encode": f"at window 0 of b.mp4: {early}",
        "hangs": "at window 0 of a.mp4: no result after 20 s",
        "hanging-bridge": "at window 0 of a.mp4: no result after 20 s",
    }
    failed = {(line["label"], line["source"]): line["reason"] for line in run.failures().to_dict("records")}
    assert failed == {
        **{("exits-in-encode", video): "SystemExit: enough" for video in ("a.mp4", "b.mp4")},
        **{("interrupts-in-decode", video): "KeyboardInterrupt" for video in ("a.mp4", "b.mp4")},
        **{("stops-in-decode", video): "Stop" for video in ("a.mp4", "b.mp4")},
        ("dies-in-encode", "b.mp4"): early,
        ("hangs", "a.mp4"): "no result after 20 s",
        ("hanging-bridge", "a.mp4"): "no result after 20 s",
    }
    assert (cells["dies-in-encode"]["scored"], cells["hangs"]["not_run"]) == (1, 1)
    assert not Path("/proc", (checkout / "process").read_text(), "cwd").exists()

    table = {(line["label"], line["metric"]): line for line in run.table().to_dict("records")}
    figures = {label: [table[label, metric]["value"] for metric in ("psnr", "frames")] for label in sound}
    assert figures["average"][1] == 34
    assert figures["changes-everything"] == figures["hangs-at-the-end"] == figures["average"]
    why = {metric: table["average", metric]["note"] for metric in hostile_plugins.METRICS}
    assert why.pop("frames") == why.pop("exits-in-comparison") == ""
    assert why.pop("exits-in-measure") == "SystemExit: 0"
    assert {reason.removeprefix("the metric's own code fails: ") for reason in why.values()} == {
        "SystemExit: 0",
        early,
        "it has no title, direction, range, display_range, needs, convention, measurement, measurement_key",
    }
    assert list((tmp_path / "run").glob("in-flight*")) == []
    compared = run.compare("average", "changes-everything")
    assert {"psnr", "frames"} == set(compared["metric"])
    assert any("exits-in-comparison" in line and "SystemExit: 0" in line for line in compared.attrs["left_out"])


@pytest.mark.slow
@pytest.mark.usefixtures("hostile")
def test_code_that_hangs_or_ends_the_process_outside_a_forward_pass_is_given_up_and_the_rest_goes_on(
    tmp_path: Path, make_video: Callable[[Path, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "videos" / "a.mp4", 17)
    endless = [cls.name for cls in hostile_plugins.ENDLESS_METRICS]
    words = [word for name in ("hangs-in-construction", "dies-in-timing", "average") for word in ("-t", name)]
    words += [word for name in ("psnr", "frames", "latency", *endless) for word in ("-m", name)]
    finished = run_hostile(tmp_path, *words, "--plugin-timeout", "10")

    run = open_run(tmp_path / "run")
    cells = {line["label"]: line for line in run.accounting().to_dict("records")}
    ended = "building the model took more than 10 s (--plugin-timeout)"
    assert cells["hangs-in-construction"]["reason"] == ended, finished.stderr
    assert (cells["average"]["status"], cells["average"]["scored"]) == ("finished", 1)
    kept = {result.label: result.cell.unavailable for result in run.results}["average"]
    fails = "the metric's own code fails: {} took more than 10 s (--plugin-timeout)"
    assert {name: reason for name, (reason, _) in kept.items()} == {"hangs-in-measure": fails.format("measure")}
    for step in ("measure", "aggregate"):
        assert f"(--plugin-timeout); going on without the metric hangs-in-{step}" in finished.stderr
        assert fails.format(step) in " ".join(finished.stdout.split())

    # The table of this process must not hang.
    monkeypatch.delattr(hostile_plugins.HangsInAggregate, "aggregate")
    # What ends the process while it is timed lacks its speed alone.
    assert "exit code 0; going on without this tokenizer's speed" in finished.stderr
    table = {(line["label"], line["metric"]): line for line in run.table().to_dict("records")}
    assert table["dies-in-timing", "psnr"]["n"] == table["average", "psnr"]["n"] == 17
    assert table["average", "latency"]["value"] > 0
    assert math.isnan(table["dies-in-timing", "latency"]["value"])
    assert "the throughput pass failed: the process ended early" in table["dies-in-timing", "latency"]["note"]


def test_what_a_child_ended_in_is_tried_no_more() -> None:
    """Each restart leaves out a metric or a tokenizer more, so that they come to an end."""
    past = Past()

    def end(*messages: dict[str, object]) -> str:
        state = State(past)
        for message in messages:
            state.hear(json.dumps(message).encode())
        return state.blame("it ended")

    assert "without the metric a" in end({"cell": 1}, {"metric": "a"})
    assert "without the metric a" in end({"metric": "a", "step": "aggregate"})
    assert past.figureless_metrics == {"a": "it ended"}
    assert "this tokenizer's speed" in end({"cell": 1}, {"metric": "a"}, {"timing": True})
    assert past.untimed == {"1": "it ended"}
    assert "next tokenizer" in end({"cell": 1}, {"metric": "a"})
    assert (past.broken_metrics, past.ended_in) == ({"a": "it ended"}, {"1": "it ended"})
    assert end({"cell": 1}, {"metric": "a"}) == ""
    assert end({"cell": 2}, {"settled": "c2"}) == ""
    assert past.settled == {"2": "c2"}
    assert end() == ""
    assert Past.from_json(past.to_json()) == past


def test_only_a_forward_pass_is_timed_and_noise_is_no_message() -> None:
    state = State(Past(), limit_s=-1.0)
    for line in (b"", b"[1]", b"no JSON", b'{"forward": false}', b'{"unknown": 1}', b'{"step": "measure"}'):
        state.hear(line)
        assert not state.overdue
    state.hear(b'{"forward": true}')
    assert state.overdue == "no result after -1 s"
    state.limit_s = None
    assert not state.overdue
    assert state.code is None


def test_other_code_has_a_limit_of_its_own_and_the_reason_says_what_ran() -> None:
    state = State(Past())
    state.hear(b'{"cell": 1, "step": "building the model", "metric": ""}')
    assert not state.overdue
    state.hear(b'{"plugin_timeout": -1.0}')
    assert state.overdue == "building the model took more than -1 s (--plugin-timeout)"
    state.hear(b'{"forward": true, "step": ""}')
    assert not state.overdue
    state.hear(b'{"plugin_timeout": 1000.0, "step": "measure", "metric": "psnr"}')
    state.step_since -= 2000
    assert state.overdue.startswith("measure took more than 1000 s")
    state.start_clocks_anew()
    assert not state.overdue


def test_a_run_tells_what_it_does() -> None:
    reading, writing = os.pipe()
    told = Supervision(writing)
    with told.forward(), told.waiting():
        pass
    with told.step("building the model"), told.metric("psnr", "prepare"):
        pass
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = [json.loads(line) for line in pipe]
    assert [line["forward"] for line in lines[:4]] == [True, False, True, False]
    building = {"step": "building the model", "metric": ""}
    assert lines[4:] == [building, {"step": "prepare", "metric": "psnr"}, building, {"step": "", "metric": ""}]


class Model:
    """Anything with encode and decode."""

    def encode(self, video: Tensor) -> Tensor:
        return video

    def decode(self, latents: Tensor) -> Tensor:
        return latents


@pytest.mark.parametrize("limit", ["forward", "plugin"])
def test_nothing_ends_a_model_in_memory_from_within(limit: str) -> None:
    with pytest.raises(ValueError, match=f"leave out {limit}_timeout, or use toklab run --{limit}-timeout"):
        evaluate(Model(), "sample", **{f"{limit}_timeout": 3})  # pyright: ignore[reportArgumentType]
