"""The ffmpeg that imageio-ffmpeg ships, run as a program: bytes in, bytes out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..errors import TokenizerError

COLOUR = "matrix=bt709:{0}_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Options of ffmpeg's scaler, written out so that RGB becomes YUV and RGB again the same way everywhere.

``{0}`` is ``out`` on the way to YUV and ``in`` on the way back, both times after ``scale=…_color_``.
"""

OTHER_BINARY = "set IMAGEIO_FFMPEG_EXE to an ffmpeg whose `ffmpeg -version` lists --enable-{0}"
"""What to do where the binary was built without a library; ``{0}`` is the library."""

ERRORS_TOLD = 3
"""Lines of ffmpeg's complaint that are passed on: the first name the cause, the last ones only what stopped."""


class FfmpegError(TokenizerError):
    """What ffmpeg refuses or does wrong, in its own words."""


def ffmpeg_binary() -> str:
    """Path of the binary: the one imageio-ffmpeg ships, or the one ``IMAGEIO_FFMPEG_EXE`` names.

    Raises:
        FfmpegError: if there is none.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return get_ffmpeg_exe()
    except RuntimeError as error:
        raise FfmpegError(
            "there is no ffmpeg here: install imageio-ffmpeg's wheel, or set IMAGEIO_FFMPEG_EXE"
        ) from error


def run_ffmpeg(arguments: Sequence[str], data: bytes = b"", folder: Path | None = None) -> bytes:
    """What ffmpeg writes to its standard output.

    Args:
        arguments: those after the program's name.
        data: its standard input.
        folder: where it runs, for files that its arguments name.

    Raises:
        FfmpegError: if it fails.
    """
    return _finished("error", arguments, data, folder).stdout


def ffmpeg_talk(arguments: Sequence[str]) -> str:
    """What ffmpeg says of its work, in full detail, and then its output, as text as far as it is text.

    Raises:
        FfmpegError: if it fails.
    """
    finished = _finished("verbose", arguments)
    return (finished.stderr + finished.stdout).decode(errors="replace")


@cache
def has_encoder(encoder: str) -> bool:
    """Whether the binary was built with an encoder, such as ``libx264``."""
    return encoder in run_ffmpeg(["-encoders"]).decode(errors="replace").split()


@cache
def has_filter(name: str) -> bool:
    """Whether the binary was built with a filter, such as ``libvmaf``."""
    return name in run_ffmpeg(["-filters"]).decode(errors="replace").split()


def _finished(
    log_level: str, arguments: Sequence[str], data: bytes = b"", folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    # SVT-AV1 takes its own log level from the environment alone.
    environment = {"SVT_LOG": "1", **os.environ} if log_level == "error" else None
    command = [ffmpeg_binary(), "-hide_banner", "-loglevel", log_level, *arguments]
    finished = subprocess.run(command, input=data, capture_output=True, check=False, cwd=folder, env=environment)
    if finished.returncode != 0:
        cause = " / ".join(finished.stderr.decode(errors="replace").strip().splitlines()[:ERRORS_TOLD])
        raise FfmpegError(f"ffmpeg failed with status {finished.returncode}: {cause or 'it says nothing'}")
    return finished
