"""Weights of metrics that can't be shipped: where they lie, how they are fetched, and that they are the right ones.

A file is used only after its SHA-256 has been compared; TorchScript archives are code, so that comes before loading.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO

from ...datasets.locations import cache_folder
from ...reports.files import open_to_others
from ...tokenizers.trust.weight_files import sha256_of
from .interface import Unavailable

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30
"""Seconds without an answer after which a download source is given up."""

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all."""


class WeightsUnavailableError(ValueError):
    """Weights that are not on this machine or not the right ones; ``hint`` is what fixes it."""

    def __init__(self, message: str, hint: str):
        super().__init__(f"{message}. {hint}")
        self.reason = message
        self.hint = hint


@dataclass(frozen=True)
class WeightFile:
    """One file of metric weights."""

    name: str
    """What the command line calls it: the metric that needs it."""
    file_name: str
    """Name of the file wherever it lies."""
    size: int
    """Bytes."""
    sha256: str
    """SHA-256, hexadecimal."""
    urls: tuple[str, ...]
    """Where it can be fetched; tried in order."""
    purpose: str
    """What it is for, in words."""
    repository: str = ""
    """Hugging Face repository that holds it, whose local cache is looked into; empty if there is none."""
    revision: str = ""
    """Commit of that repository."""

    @property
    def hint(self) -> str:
        """The command that fetches it."""
        return f"toklab weights pull {self.name}"


I3D_REPOSITORY = "flateon/FVD-I3D-torchscript"
I3D_REVISION = "1c2d61711c52571ad617a1063e6fa691b212e184"

LPIPS_VGG = WeightFile(
    name="lpips-vgg",
    file_name="vgg16-397923af.pth",
    size=553_433_881,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    purpose="VGG-16 backbone of LPIPS (torchvision)",
)
LPIPS_ALEX = WeightFile(
    name="lpips-alex",
    file_name="alexnet-owt-7be5be79.pth",
    size=244_408_911,
    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
    purpose="AlexNet backbone of LPIPS (torchvision)",
)
FVD_I3D = WeightFile(
    name="fvd-i3d",
    file_name="i3d_torchscript.pt",
    size=51_235_320,
    sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
    urls=(
        f"https://huggingface.co/{I3D_REPOSITORY}/resolve/{I3D_REVISION}/i3d_torchscript.pt",
        "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
    ),
    purpose="Kinetics-400 I3D of FVD (StyleGAN-V's TorchScript)",
    repository=I3D_REPOSITORY,
    revision=I3D_REVISION,
)
WEIGHT_FILES: dict[str, WeightFile] = {weight.name: weight for weight in (LPIPS_VGG, LPIPS_ALEX, FVD_I3D)}
"""Every metric weight file by name."""


@dataclass(frozen=True)
class WeightStatus:
    """A weight file and where it lies."""

    file: WeightFile
    path: Path | None
    """``None`` if it isn't on this machine."""


def is_known(name: str) -> bool:
    """Whether a metric weight file has that name."""
    return name in WEIGHT_FILES


def status() -> list[WeightStatus]:
    """Every metric weight file, and where it lies."""
    return [WeightStatus(weight, locate(weight)) for weight in WEIGHT_FILES.values()]


def find(name: str) -> Path | None:
    """Where a weight file lies, unverified, or ``None``; raises ``ValueError`` on an unknown name."""
    return locate(_known(name))


def own_folder() -> Path:
    """Where :func:`pull` puts files: ``$TOKLAB_WEIGHTS``, else ``weights`` in toklab's cache."""
    named = os.environ.get("TOKLAB_WEIGHTS")
    return Path(named).expanduser() if named else cache_folder() / "weights"


def locate(weight: WeightFile) -> Path | None:
    """The first place that holds the file: ``$TOKLAB_WEIGHTS``, toklab's, torch's and Hugging Face's caches."""
    if (found := find_file(weight.file_name)) is not None:
        return found
    if weight.repository:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(weight.repository, weight.file_name, revision=weight.revision)
        if isinstance(cached, str):
            return Path(cached)
    return None


def find_file(file_name: str) -> Path | None:
    """The first of toklab's and torch's folders of weights that holds a file of that name."""
    import torch

    folders = (own_folder(), cache_folder() / "weights", Path(torch.hub.get_dir()) / "checkpoints")
    return next((folder / file_name for folder in folders if (folder / file_name).is_file()), None)


def unavailable(weight: WeightFile) -> Unavailable | None:
    """Why the file can't be used here, or ``None``; cheap: looks at its size, not at its hash."""
    path = locate(weight)
    if path is None:
        return Unavailable(f"{weight.purpose} is not on this machine", weight.hint)
    if (size := path.stat().st_size) != weight.size:
        return Unavailable(f"{path} has {size:,} bytes instead of {weight.size:,}", f"remove it and run {weight.hint}")
    return None


def verified(weight: WeightFile) -> Path:
    """Where the file lies, its SHA-256 compared (once a process, unless the file changes).

    Raises:
        WeightsUnavailableError: if it isn't here, or isn't the right one.
    """
    if (problem := unavailable(weight)) is not None:
        raise WeightsUnavailableError(problem.reason, problem.hint)
    path = locate(weight)
    assert path is not None
    if (found := readable_sha256(path)) != weight.sha256:
        raise WeightsUnavailableError(
            f"{path} has SHA-256 {found} instead of {weight.sha256}", f"Remove it and run {weight.hint}"
        )
    return path


def readable_sha256(path: Path) -> str:
    """SHA-256 of a file that is here; raises ``WeightsUnavailableError`` if it can't be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        reason = f"{path} can't be read ({error.strerror or error})"
        raise WeightsUnavailableError(reason, "Make it readable to this user") from error


def pull(name: str, progress: ProgressCallback | None = None) -> Path:
    """Download a weight file into :func:`own_folder`, unless a verified one is here; returns where it is.

    Raises:
        ValueError: on an unknown name.
        WeightsUnavailableError: if no source gives the right file.
    """
    weight = _known(name)
    if unavailable(weight) is None:
        return verified(weight)
    return fetch(weight.file_name, weight.urls, progress, size=weight.size, sha256=weight.sha256)


def fetch(
    file_name: str,
    urls: Sequence[str],
    progress: ProgressCallback | None = None,
    *,
    size: int | None = None,
    sha256: str | None = None,
) -> Path:
    """Download a file into :func:`own_folder` from the first address that gives it; returns where it is.

    Args:
        file_name: what it is called there.
        urls: where it can be fetched; tried in order.
        progress: hears how far it is.
        size: its bytes; ``None`` where only the server knows them.
        sha256: its SHA-256, hexadecimal; ``None`` where it isn't known.

    Raises:
        WeightsUnavailableError: if no address gives the right file.
    """
    target = own_folder() / file_name
    failures = []
    for url in urls:
        try:
            _download(url, target, size, sha256, progress)
        except (OSError, HTTPException, _WrongFileError) as error:
            failures.append(f"{url}: {error}")
        else:
            return target
    raise WeightsUnavailableError(
        f"{file_name} could not be downloaded ({'; '.join(failures)})",
        f"On a machine with access to the network fetch it from there and put it into {target.parent}",
    )


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Where to write what takes the place of ``target`` if the block ends well, readable to whom any new file is.

    The folder is made if it is missing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        open_to_others(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _known(name: str) -> WeightFile:
    if name not in WEIGHT_FILES:
        raise ValueError(f"no metric weights are called {name!r}; there are: {', '.join(WEIGHT_FILES)}")
    return WEIGHT_FILES[name]


class _WrongFileError(ValueError):
    """What came isn't the file that was asked for."""


def _download(url: str, target: Path, size: int | None, sha256: str | None, progress: ProgressCallback | None) -> None:
    """Write the file, if its size and hash are right."""
    with whole_file(target) as partial:
        with partial.open("wb") as file:
            digest = _fetch(url, file, size, progress)
        if sha256 is not None and digest != sha256:
            raise _WrongFileError(f"SHA-256 {digest} instead of {sha256}")


def _fetch(url: str, file: IO[bytes], size: int | None, progress: ProgressCallback | None) -> str:
    digest, received = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        if size is None:
            told = response.headers.get("Content-Length")
            size = int(told) if told else None
        while chunk := response.read(CHUNK_BYTES):
            received += len(chunk)
            if size is not None and received > size:
                raise _WrongFileError(f"more than {size:,} bytes")
            file.write(chunk)
            digest.update(chunk)
            if progress is not None:
                progress(received, size or received)
    if size is not None and received != size:
        raise _WrongFileError(f"{received:,} bytes instead of {size:,}")
    return digest.hexdigest()
