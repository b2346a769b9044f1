"""A plugin that misbehaves beside an honest tokenizer: none of its figures is wrong, and the other has its own."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tiny_runs
import torch
from fake_tokenizers import Average
from faults import FaultKind, Outcome
from toklab.bench.catalog.plugin_code import interrupt
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerSpec
from torch import Tensor

HONEST, HOSTILE = "bicubic-4chn", "hostile"
FAULT = "CAMPAIGN_FAULT"
"""Environment variable: what the plugin does, where, and at which of its calls."""


class Stop(BaseException):
    """No error at all."""

    def __str__(self) -> str:
        raise SystemExit(0)


RAISED: dict[str, Callable[[], BaseException]] = {
    **{kind.__name__: lambda kind=kind: kind("no") for kind in (ValueError, KeyError, OSError, MemoryError, TypeError)},
    **{kind.__name__: lambda kind=kind: kind("no") for kind in (RuntimeError, RecursionError, AssertionError)},
    **{kind.__name__: lambda kind=kind: kind() for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, Stop)},
    "StopIteration": StopIteration,
    "UnicodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
    "text": lambda: ValueError("[red]\x1b[31m\udce4\x00" + "x" * 5000),
}
"""What is raised, by name."""
RETURNED: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda value: None,
    "text": lambda value: "x",
    "nan": lambda value: value * float("nan") if isinstance(value, Tensor) else value,
    "infinite": lambda value: value + float("inf") if isinstance(value, Tensor) else value,
    "one frame less": lambda value: value[:, :, 1:] if isinstance(value, Tensor) else value,
    "half precision": lambda value: value.half() if isinstance(value, Tensor) else value,
    "whole numbers": lambda value: value.long() if isinstance(value, Tensor) else value,
    "two clips": lambda value: torch.cat([value, value]) if isinstance(value, Tensor) else value,
    "another size": lambda value: value[..., :-8] if isinstance(value, Tensor) else value,
    "meta": lambda value: value.to("meta") if isinstance(value, Tensor) else value,
}
"""What is returned in place of what is due."""
CHANGES: dict[str, Callable[[], object]] = {
    "working directory": lambda: os.chdir("/"),
    "default type": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "generators": lambda: (torch.manual_seed(0), np.random.seed(0), random.seed(0)),
    "gradients": lambda: torch.set_grad_enabled(True),
    "environment": lambda: os.environ.pop("HOME", None),
    "warnings": lambda: __import__("warnings").simplefilter("error"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
}
"""What is changed in the process."""
PLACES = ("construction", "spec", "encode", "decode")


class Hostile(Average):
    """Does what the environment says at one of its calls, and is sound otherwise."""

    name = HOSTILE

    def __init__(self, settings: InferenceSettings | None = None):
        self._fault = json.loads(os.environ[FAULT])
        self._calls = 0
        self._given: Tensor | None = None
        self._misbehave("construction", None)
        super().__init__(settings)

    def _misbehave(self, place: str, value: Any) -> Any:
        if self._fault["place"] != place:
            return value
        self._calls += 1
        if self._calls < self._fault["call"]:
            return value
        what, name = self._fault["what"]
        if what == "raise":
            raise RAISED[name]()
        if what == "change":
            CHANGES[name]()
        return RETURNED[name](value) if what == "return" else value

    @property
    def spec(self) -> TokenizerSpec:
        return self._misbehave("spec", self._spec)

    @spec.setter
    def spec(self, value: TokenizerSpec) -> None:
        self._spec = value

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        if self._fault["what"][0] == "reference" and self._fault["place"] == "encode":
            video.fill_(0)
        self._given = video
        return self._misbehave("encode", super()._encode(video, generators))

    def _decode(self, encoded: Encoded) -> Tensor:
        if self._fault["what"][0] == "reference" and self._fault["place"] == "decode":
            assert self._given is not None
            return self._given
        return self._misbehave("decode", super()._decode(encoded))


class HostilePlugin(FaultKind):
    """A run of a misbehaving plugin and an honest tokenizer."""

    name = "hostile plugins"
    tried = "a tokenizer raises, returns what is no reconstruction, touches its reference or changes the process"
    share = 400
    per_process = 1

    def prepare(self, folder: Path) -> None:
        videos = tiny_runs.write_videos(folder / "videos")
        self._run(folder / "whole", videos, {"place": "", "call": 1, "what": ("", "")})
        (folder / "truth.pickle").write_bytes(pickle.dumps(_measured(folder / "whole")))

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        fault = random_fault(rng)
        # As the command does, so that a plugin's interrupt isn't taken for the user's.
        signal.signal(signal.SIGINT, interrupt)
        truth = pickle.loads((folder / "truth.pickle").read_bytes())
        self._run(scratch / "run", folder / "videos", fault)
        found = _measured(scratch / "run")
        detail = f"{': '.join(fault['what'])} in {fault['place']}, call {fault['call']}"
        if found.get(HONEST) != truth[HONEST]:
            return Outcome("wrong", f"{detail}: the honest tokenizer has other figures")
        scored = found.get(HOSTILE, {})
        # A reconstruction in half precision is one, and has its own figures.
        may_differ = fault["what"][1] == "half precision"
        if not may_differ and any(truth[HOSTILE].get(key) != measured for key, measured in scored.items()):
            return Outcome("wrong", f"{detail}: a figure of its own")
        if fault["what"][0] == "reference" and scored:
            return Outcome("wrong", f"{detail}: it was scored")
        return Outcome("survived" if len(scored) == len(truth[HOSTILE]) else "refused", detail)

    def _run(self, folder: Path, videos: Path, fault: dict[str, Any]) -> None:
        os.environ["TOKLAB_PLUGINS"] = f"{HOSTILE}=plugin_faults:Hostile"
        os.environ[FAULT] = json.dumps(fault)
        chosen = tiny_runs.suite(videos)
        tiny_runs.run(folder, chosen.model_copy(update={"tokenizers": (HOSTILE, HONEST)}))


def random_fault(rng: np.random.Generator) -> dict[str, Any]:
    """Where the plugin misbehaves, at which call, and how."""
    groups = {"raise": list(RAISED), "return": list(RETURNED), "change": list(CHANGES), "reference": ["touched"]}
    what = str(rng.choice(list(groups), p=[0.4, 0.3, 0.25, 0.05]))
    place = str(rng.choice(PLACES if what in ("raise", "change") else ("encode", "decode")))
    names = groups[what]
    return {"place": place, "call": int(rng.integers(1, 6)), "what": (what, names[int(rng.integers(0, len(names)))])}


def _measured(folder: Path) -> dict[str, dict[Any, Any]]:
    """For each tokenizer, what was measured on its scored windows."""
    found = tiny_runs.scored(folder)
    return {name: {key: values for key, values in rows.items() if values} for name, rows in found.items()}
