"""The bridge to a user's own checkout of somebody's code, for systems that nobody packages.

The code runs in a process of its own, with the checkout in front of its path and, where wanted, another interpreter:
such repositories bring top-level packages called ``models``, ``src`` or ``main`` that would meet ours and each other's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

import torch
from torch import Tensor

from ..card import config_from
from ..errors import TokenizerError
from ..interface import Encoded, VideoTokenizer
from ..spec import InferenceSettings, TokenizerSpec
from . import bridge_process
from .bridge_process import receive, send

LAST_LINES = 12
"""Lines of a dead process's last words that go into the error."""


@dataclass(frozen=True)
class BridgeOptions:
    """A card's ``[parameters]``: what to import from where, and how it wants to be called."""

    checkout_folder: str
    """The repository, as cloned; relative to the card."""
    model: str
    """``module:callable`` within it; called with ``arguments``, gives a ``torch.nn.Module``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``model``."""
    python: str = ""
    """An interpreter that has what the code needs (torch and numpy at least); empty: the one that runs toklab."""
    encode: str = "encode"
    """Method that encodes a clip."""
    decode: str = "decode"
    """Method that decodes what ``latents`` selects."""
    latents: str = ""
    """Where in the result of ``encode`` the latent lies, such as ``0``, ``latent_dist.mode()`` or ``z``; empty: it is
    the result."""
    sampled_latents: str = ""
    """Where a sample of the posterior lies, likewise, such as ``latent_dist.sample()``; for ``posterior=sample``."""
    codes: str = ""
    """Where the codes of a discrete tokenizer lie, likewise."""
    video: str = ""
    """Where in the result of ``decode`` the video lies, likewise."""
    layout: Literal["BCTHW", "BTCHW"] = "BCTHW"
    """Order of the axes of clips, latents and videos in that code; codes have no channels."""
    low: float = -1.0
    """What black is to that code."""
    high: float = 1.0
    """What white is to that code."""
    strict: bool = True
    """Whether the checkpoint must hold the model's tensors and no others."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], name: str) -> BridgeOptions:
        """Read a card's parameters.

        Raises:
            TokenizerError: on an unknown, missing or impossible one.
        """
        options = config_from(cls, parameters, name)
        if ":" not in options.model:
            raise TokenizerError(f"{name}: model is written module:callable, not {options.model!r}")
        if not options.low < options.high:
            raise TokenizerError(f"{name}: low must be less than high")
        return options


class BridgeTokenizer(VideoTokenizer):
    """A model of a user's checkout. Its process starts when weights are loaded or drawn.

    Its parameters aren't counted: the networks live in the other process. Samples of a posterior follow from each
    clip's seed. Other noise follows from the seed of the batch's first clip, and in decoders from that of the settings.

    Args:
        spec: what the card says.
        parameters: see :class:`BridgeOptions`.
        settings: posterior, seed and precision.

    Raises:
        TokenizerError: if the parameters are wrong or the checkout isn't there, or if a posterior is to be sampled and
            the card doesn't say how.
    """

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.options = BridgeOptions.from_parameters(parameters, spec.name)
        if not Path(self.options.checkout_folder).is_dir():
            raise TokenizerError(
                f"{spec.name}: {self.options.checkout_folder} is no folder; clone the repository there, or fix "
                "checkout_folder in the card"
            )
        self._samples = spec.regularizer == "kl" and self.settings.posterior == "sample"
        if self._samples and not self.options.sampled_latents:
            raise TokenizerError(
                f"{spec.name}: posterior=sample takes a card that says where a sample lies, such as "
                'sampled_latents = "latent_dist.sample()"'
            )
        self._process: subprocess.Popen[bytes] | None = None

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Start the process and load the weights there.

        Raises:
            TokenizerError: if the code can't be imported or built, or the weights are another model's.
        """
        self._start(seed=0)
        self._ask({"do": "load", "strict": self.options.strict}, dict(state))

    def init_random(self, seed: int) -> None:
        """Start the process and build the model with weights drawn from ``seed``; raises as :meth:`load_state`."""
        self._start(seed)
        self.spec = replace(self.spec, weights=f"random (seed {seed})")

    def to(self, device: str | torch.device) -> VideoTokenizer:
        """Move the model, in the precision of the settings."""
        if self._process is not None:
            self._ask({"do": "to", "device": str(device), "precision": self.settings.precision})
        return self

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        own = [generator.initial_seed() for generator in generators] if generators else []
        seeds = own or [self.settings.seed] * len(video)
        if not self._samples:
            return self._encoded(video, self.options.latents, seeds[0])
        each = [
            self._encoded(clip, self.options.sampled_latents, seed)
            for clip, seed in zip(video.split(1), seeds, strict=True)
        ]
        return Encoded(latents=torch.cat([one.latents for one in each if one.latents is not None]))

    def _encoded(self, video: Tensor, latents: str, seed: int) -> Encoded:
        """The encoding of a batch, with the latents that lie at the path ``latents``."""
        low, high = self.options.low, self.options.high
        scaled = (video.float() + 1) / 2 * (high - low) + low
        found = self._ask({"do": "encode", "seed": seed, "latents": latents}, {"video": self._turned(scaled)})
        codes, sizes = (), ()
        if self.spec.codebook_size is not None:
            if "codes" not in found:
                raise TokenizerError(f"{self.spec.name}: is discrete, but its card doesn't say where the codes lie")
            codes, sizes = (found["codes"].long(),), (self.spec.codebook_size,)
        return Encoded(
            latents=self._turned(found["latents"]).to(video.device, self.dtype), codes=codes, codebook_sizes=sizes
        )

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        low, high = self.options.low, self.options.high
        request = {"do": "decode", "seed": self.settings.seed}
        found = self._ask(request, {"latents": self._turned(encoded.latents.float())})
        video = self._turned(found["video"]).to(encoded.latents.device)
        return (video - low) / (high - low) * 2 - 1

    def _turned(self, tensor: Tensor) -> Tensor:
        """Between our order of the axes and the checkout's; turning twice gives back the first."""
        return tensor.transpose(1, 2) if self.options.layout == "BTCHW" else tensor

    def _start(self, seed: int) -> None:
        command = [self.options.python or sys.executable, "-u", bridge_process.__file__, self.options.checkout_folder]
        # A file and no pipe: nobody empties a pipe while the model computes, and a full one would stop it.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process ends)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self.options.checkout_folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
            )
        except OSError as error:
            raise TokenizerError(f"{self.spec.name}: {command[0]} can't be started ({error})") from error
        weakref.finalize(self, _end, self._process, self._words)
        self._ask({"do": "build", "seed": seed, "threads": torch.get_num_threads(), **asdict(self.options)})

    def _ask(self, request: dict[str, Any], tensors: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        if self._process is None:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, request, dict(tensors or {}))
            answer, found = receive(self._process.stdout)
        except (EOFError, OSError) as error:
            raise TokenizerError(f"{self.spec.name}: its process ended. {self._last_words()}") from error
        if "error" in answer:
            raise TokenizerError(f"{self.spec.name}: {answer['error']}")
        return found

    def _last_words(self) -> str:
        assert self._process is not None
        self._process.wait()
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return "\n".join([f"Exit code {self._process.returncode}", *lines[-LAST_LINES:]])


def _end(process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, words):
        if pipe is not None:
            pipe.close()
