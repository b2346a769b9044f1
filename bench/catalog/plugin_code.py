"""The boundary round what others wrote: whatever a plugin raises or changes, toklab goes on as before.

Every call of a plugin goes through :func:`plugin_code`. It knows torch only where torch is loaded already, so that
listing stays quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Restore = Callable[[], object]
Float32Precision = tuple[list[bool | None], list[str]]
"""Whether TF32 is allowed in matrix products and in cuDNN, by torch's older switches; and the precision of everything,
of matrix products, of convolutions and of recurrent networks, by its newer ones."""
EXACT: Float32Precision = ([False, False], ["ieee"] * 4)
"""Float32 and nothing else."""


class PluginStopped(RuntimeError):
    """A plugin raised what is no error and would have ended the program, such as ``SystemExit``."""


class UserInterrupt(KeyboardInterrupt):
    """The user pressed Ctrl-C: what :func:`interrupt` raises, and no plugin."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """A handler of SIGINT: the first one interrupts, later ones leave the cleaning up alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise UserInterrupt


@contextmanager
def plugin_code() -> Iterator[None]:
    """Call a plugin inside.

    Errors pass through as they are. Afterwards the working directory, torch's default data type and device, gradient
    mode, threads and float32 precision are as before. Random generators are left alone: a model that draws from them
    would otherwise draw the same numbers for every window.

    Raises:
        PluginStopped: in place of what isn't an ``Exception``, the user's own Ctrl-C excepted.
    """
    restore = [*_working_directory(), *_torch_state()]
    try:
        yield
    except Exception:
        raise
    except KeyboardInterrupt as error:
        # Without our handler nothing tells the user's interrupt from a plugin's.
        if isinstance(error, UserInterrupt) or not _tells_interrupts_apart():
            raise
        raise PluginStopped(describe(error)) from error
    except BaseException as error:
        raise PluginStopped(describe(error)) from error
    finally:
        for undo in restore:
            undo()


def describe(error: BaseException) -> str:
    """An error's class and what it says, in one piece; a message that can't be made is left out."""
    if isinstance(error, PluginStopped):
        return str(error)
    try:
        text = str(error)
    except BaseException:
        # The message is the plugin's code too.
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _tells_interrupts_apart() -> bool:
    return signal.getsignal(signal.SIGINT) in (interrupt, signal.SIG_IGN)


def _working_directory() -> Iterator[Restore]:
    try:
        before = os.getcwd()
    except FileNotFoundError:
        return
    yield lambda: os.chdir(before)


def _torch_state() -> Iterator[Restore]:
    torch: Any = sys.modules.get("torch")
    # Half of torch is there while a plugin's module is the first to import it.
    if not hasattr(torch, "get_default_device") or not hasattr(torch, "backends"):
        return
    device = torch.get_default_device()
    yield from (
        _kept(torch.get_default_dtype, torch.set_default_dtype),
        _kept(lambda: torch.get_default_device() == device, lambda same: _set_default_device(torch, device)),
        _kept(torch.is_grad_enabled, torch.set_grad_enabled),
        _kept(torch.get_num_threads, torch.set_num_threads),
    )
    yield _kept(lambda: float32_precision(torch.backends), lambda value: set_float32_precision(torch.backends, value))


def _set_default_device(torch: Any, device: Any) -> None:
    # The processor is the default without a word, and any word slows every call of torch.
    torch.set_default_device(None if device.type == "cpu" else device)


def float32_precision(backends: Any) -> Float32Precision:
    """What ``torch.backends`` allows instead of float32; ``None`` where the older switches contradict the newer."""
    older: list[bool | None] = []
    for switches in _older_switches(backends):
        try:
            older.append(switches.allow_tf32)
        except RuntimeError:
            older.append(None)
    return older, [switches.fp32_precision for switches in _newer_switches(backends)]


def set_float32_precision(backends: Any, value: Float32Precision) -> None:
    """Set what :func:`float32_precision` gave."""
    for switches, allowed in zip(_older_switches(backends), value[0], strict=True):
        if allowed is not None:
            switches.allow_tf32 = allowed
    for switches, precision in zip(_newer_switches(backends), value[1], strict=True):
        switches.fp32_precision = precision


def _older_switches(backends: Any) -> tuple[Any, ...]:
    return backends.cuda.matmul, backends.cudnn


def _newer_switches(backends: Any) -> tuple[Any, ...]:
    """The general ones first, as they overwrite the others."""
    return backends, backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn


def _kept(read: Callable[[], Any], write: Callable[[Any], object]) -> Restore:
    before = read()

    def undo() -> None:
        if read() != before:
            write(before)

    return undo
