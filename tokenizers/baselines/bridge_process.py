"""The other side of :mod:`toklab.tokenizers.baselines.bridge`: builds a checkout's model and answers requests.

It is run as a file, by an interpreter that need not know toklab, and imports torch, numpy and the standard library
alone. A message is the length of a header, the header (JSON), and the raw bytes of the tensors it lists.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import struct
import sys
from typing import IO, Any

import numpy as np
import torch

LENGTH = struct.Struct("<Q")
PR_SET_PDEATHSIG = 1
"""Asks Linux for a signal when the parent ends: prctl(2)."""


def send(pipe: IO[bytes], message: dict[str, Any], tensors: dict[str, torch.Tensor] | None = None) -> None:
    """Write a message and its tensors; floats of 16 bits travel as float32."""
    arrays = {name: _as_array(tensor) for name, tensor in (tensors or {}).items()}
    listed = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    header = json.dumps({"message": message, "tensors": listed}).encode()
    pipe.write(LENGTH.pack(len(header)) + header)
    for array in arrays.values():
        pipe.write(array.tobytes())
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a message and its tensors; raises ``EOFError`` if the pipe ends before them."""
    (length,) = LENGTH.unpack(_read(pipe, LENGTH.size))
    header = json.loads(_read(pipe, length))
    tensors = {}
    for name, kind, shape in header["tensors"]:
        count = int(np.prod(shape, dtype=np.int64))
        data = bytearray(_read(pipe, count * np.dtype(kind).itemsize))
        tensors[name] = torch.from_numpy(np.frombuffer(data, dtype=kind).reshape(shape))
    return header["message"], tensors


def _as_array(tensor: torch.Tensor) -> Any:
    tensor = tensor.detach().cpu()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return tensor.contiguous().numpy()


def _read(pipe: IO[bytes], size: int) -> bytes:
    parts = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def select(value: Any, path: str) -> Any:
    """What lies at ``path``: names of attributes or keys and indices, joined by dots; ``()`` calls what it follows.

    Raises:
        ValueError: naming the step that leads nowhere.
    """
    for step in filter(None, path.split(".")):
        name = step.removesuffix("()")
        if name.isdigit():
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        elif hasattr(value, name):
            value = getattr(value, name)
        else:
            raise ValueError(f"{path!r}: a {type(value).__name__} has no {name}")
        if step.endswith("()"):
            value = value()
    return value


def _tensor_at(result: Any, path: str, name: str) -> torch.Tensor:
    """The tensor at ``path``; raises ``TypeError`` naming the card's key, ``name``, if something else lies there."""
    found = select(result, path)
    if not isinstance(found, torch.Tensor):
        place = f"at {path!r} lies" if path else "the result is"
        raise TypeError(f"{place} a {type(found).__name__}, no tensor; say in the card where it lies: {name} = …")
    return found


class Model:
    """The checkout's model and how it is called."""

    def __init__(self, options: dict[str, Any]):
        self.options = options
        self.device, self.dtype = torch.device("cpu"), torch.float32
        torch.set_num_threads(options["threads"])
        torch.manual_seed(options["seed"])
        module, name = options["model"].split(":")
        self.network = getattr(importlib.import_module(module), name)(**options["arguments"]).eval()

    def answer(self, request: dict[str, Any], tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Do what is asked."""
        if request["do"] == "load":
            self.network.load_state_dict(tensors, strict=request["strict"])
        elif request["do"] == "to":
            self.device, self.dtype = torch.device(request["device"]), getattr(torch, request["precision"])
            self.network.to(device=self.device, dtype=self.dtype)
        else:
            torch.manual_seed(request["seed"])
            if request["do"] == "encode":
                result = getattr(self.network, self.options["encode"])(self._here(tensors["video"]))
                paths = {"latents": request["latents"]}
                paths |= {"codes": self.options["codes"]} if self.options["codes"] else {}
            else:
                result = getattr(self.network, self.options["decode"])(self._here(tensors["latents"]))
                paths = {"video": self.options["video"]}
            return {name: _tensor_at(result, path, name) for name, path in paths.items()}
        return {}

    def _here(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(device=self.device, dtype=self.dtype)


def end_with_parent() -> None:
    """Have Linux end this process with the one that asks: code that hangs would never see the input end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Answer requests until the input ends."""
    end_with_parent()
    requests = sys.stdin.buffer
    # What the checkout's code prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The folder of this file would otherwise come first, with modules that the checkout may have as well.
    sys.path[0] = sys.argv[1]
    model = None
    while True:
        try:
            request, tensors = receive(requests)
        except EOFError:
            return
        try:
            with torch.no_grad():
                if request["do"] == "build":
                    model = Model(request)
                    found: dict[str, torch.Tensor] = {}
                else:
                    assert model is not None
                    found = model.answer(request, tensors)
            send(answers, {}, found)
        except Exception as error:
            # Somebody else's code may raise anything; the other side turns it into an error of the tokenizer.
            send(answers, {"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
