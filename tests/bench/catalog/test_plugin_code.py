"""The boundary round plugins: only errors come out, and the process is as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hostile_plugins import Stop, change_everything
from toklab.bench.catalog.plugin_code import PluginStopped, UserInterrupt, describe, interrupt, plugin_code


@pytest.fixture
def handled() -> Iterator[None]:
    """Ctrl-C as `toklab run` handles it."""
    before = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, before)


def state() -> list[object]:
    return [
        os.getcwd(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        getattr(torch.backends.cudnn, "conv").fp32_precision,  # noqa: B009 (a type checker doesn't know it)
    ]


def _change_and_exit() -> None:
    change_everything()
    raise SystemExit(3)


def test_the_process_is_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = state()
    with plugin_code():
        change_everything()
        vars(torch)["backends"].fp32_precision = "tf32"
    assert state() == before
    with pytest.raises(PluginStopped, match="SystemExit: 3"), plugin_code():
        _change_and_exit()
    assert state() == before
    assert torch.zeros(1).dtype == torch.float32


def test_the_generator_goes_on() -> None:
    """A model that draws from torch's own generator draws other numbers for every window."""
    drawn = []
    for _ in range(2):
        with plugin_code():
            drawn.append(float(torch.rand(())))
    assert drawn[0] != drawn[1]


def test_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), plugin_code():
        _ = 1 / 0


def test_what_is_no_error_becomes_one() -> None:
    with pytest.raises(PluginStopped, match=r"^Stop$"), plugin_code():
        raise Stop
    with pytest.raises(PluginStopped, match="GeneratorExit"), plugin_code():
        raise GeneratorExit


def test_the_users_interrupt_passes_and_a_plugins_own_does_not(handled: None) -> None:
    with pytest.raises(PluginStopped, match="KeyboardInterrupt"), plugin_code():
        raise KeyboardInterrupt
    with pytest.raises(UserInterrupt), plugin_code():
        signal.raise_signal(signal.SIGINT)
    # A second one leaves the cleaning up alone.
    signal.raise_signal(signal.SIGINT)


def test_without_the_handler_an_interrupt_is_the_users() -> None:
    # A process in the background may have been started to ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), plugin_code():
        raise KeyboardInterrupt


def test_an_error_whose_message_raises_is_described_by_its_class() -> None:
    assert describe(Stop()) == "Stop"
    assert describe(ValueError("x")) == "ValueError: x"
    assert describe(ValueError()) == "ValueError"
