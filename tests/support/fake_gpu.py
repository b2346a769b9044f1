"""A GPU that isn't there: fake CUDA tensors, which have a device, a shape and a type, but no values.

Inside :class:`FakeGpu` whatever touches the GPU is computed by torch's ``FakeTensorMode``, which raises where a tensor
that was left on the CPU is mixed in, and where a shape depends on values. What stays on the CPU has real values. The
host hears of a value on the GPU only by waiting for it: each such wait is noted with its place, and is an error unless
the place is among those that may wait.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from unittest import mock

import toklab.bench
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
ROOMS = Path(toklab.bench.__file__ or "").resolve().parents[1]
"""Below it lie toklab's own modules."""
SUPPORT = Path(__file__).resolve().parent
WELL = True
"""What the host is told where it asks a yes or a no: all values are finite, nothing was changed. Numbers are 0."""
aten = torch.ops.aten


class HiddenWait(RuntimeError):
    """The host waits for a value on the GPU at a place that isn't known to."""


class FakeGpu(TorchDispatchMode):
    """Inside, ``cuda`` is a GPU without values."""

    def __init__(self, may_wait: Collection[str] | None = ()):
        """``may_wait``: places, ``module:function`` below ``toklab``, where the host may wait; ``None``: everywhere."""
        super().__init__()
        self._may_wait = may_wait
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._patches: list[Any] = []
        self.waits: Counter[str] = Counter()
        """How often the host waited, by place."""

    def __enter__(self) -> FakeGpu:
        self._fake.__enter__()
        self._patches = [mock.patch.object(nn.Module, "to", _move)]
        for patch in self._patches:
            patch.start()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for patch in self._patches:
            patch.stop()
        self._fake.__exit__(kind, error, trace)

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor on the GPU."""
        return torch.empty(shape, dtype=dtype, device=GPU)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        if not any(map(_is_on_gpu, leaves)):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func in (aten._local_scalar_dense.default, aten.equal.default):
            self._wait()
            return WELL if func is aten.equal.default or args[0].dtype == torch.bool else 0
        made = func(*args, **kwargs)
        if any(isinstance(x, FakeTensor) and x.device.type == "cpu" for x in tree_leaves(made)):
            self._wait()
            made = tree_map(_materialized, made)
        return made

    def _wait(self) -> None:
        place = _place(sys._getframe(2))
        self.waits[place] += 1
        if self._may_wait is not None and place not in self._may_wait:
            raise HiddenWait(f"{place} waits for the GPU; compute on, or name it with its reason")


def _is_on_gpu(x: Any) -> bool:
    return isinstance(x, FakeTensor) or (isinstance(x, torch.device) and x.type == "cuda")


def _materialized(x: Any) -> Any:
    if not isinstance(x, FakeTensor) or x.device.type != "cpu":
        return x
    with unset_fake_temporarily():
        return torch.full(x.shape, WELL if x.dtype == torch.bool else 0, dtype=x.dtype)


def _place(frame: FrameType | None) -> str:
    """The function of toklab that is at work, ``module:function``; that of others where none is."""
    first = frame
    while frame is not None:
        file = Path(frame.f_code.co_filename).resolve()
        if file.is_relative_to(ROOMS) and not file.is_relative_to(SUPPORT.parent):
            module = ".".join(file.relative_to(ROOMS).with_suffix("").parts)
            return f"{module}:{frame.f_code.co_qualname}"
        frame = frame.f_back
    assert first is not None
    return f"{first.f_code.co_filename}:{first.f_code.co_qualname}"


def _move(
    module: nn.Module,
    device: torch.device | str | torch.dtype | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """``Module.to``, which can't replace a real tensor by a fake one by itself."""
    if isinstance(device, torch.dtype):
        device, dtype = None, device
    is_to_gpu = device is not None and torch.device(device).type == "cuda"

    def moved(tensor: Tensor) -> Tensor:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        if is_to_gpu and not isinstance(tensor, FakeTensor):
            tensor = torch.empty(tensor.shape, dtype=wanted, device=GPU)
        return tensor.detach().to(dtype=wanted)

    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(moved(parameter), requires_grad=False)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = moved(buffer)
    return module
