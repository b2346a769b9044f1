"""Command lines of random words: each does what it says, or ends in an error that the user can read."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tiny_runs
import typer.main
from faults import FaultKind, Outcome
from toklab.bench.cli.main import _main, app
from toklab.datasets.readers.worker import DecodeWorker

WORDS = (
    *("", " ", "-", "--", "=", "x=y", "a,b", "%s", "{}", "~", "..", "nan", "0", "-1", "ünïcödé", "日本語", "[red]x[/]"),
    *(
        "[/]",
        "\\",
        "'",
        '"',
        "\x1b[31m",
        "a\nb",
        "a" * 3000,
        "\udce4",
        "true",
        "1e999",
        "sample:x",
        "folder:",
        "file.toml",
    ),
    *("no-such-thing", "bicubic-4chn", "vidtok", "psnr", "none", "all", "1/2", "3/2", "0/0"),
)
"""What may stand anywhere."""
NUMBERS = ("0", "1", "2", "-1", "1.5", "x", "nan", "99999999999999999999", "")
FITTING: dict[str, tuple[str, ...]] = {
    "tokenizer": ("bicubic-4chn", "bicubic-8chn", "bicubic-16x-8chn"),
    "dataset": ("own=folder:videos", "folder:videos", "videos/a.mp4"),
    "video": ("videos/a.mp4", "videos", "garbage.bin"),
    "metric": ("psnr", "ssim", "bpp", "flicker", "throughput-encode"),
    "protocol": ("vidtok", "cdt", "vidtok-long", "garbage.toml"),
    "set_protocol": ("height=32", "width=32", "max_frames=17", "height=-1", "tail=x"),
    "set_": ("seed=0,1", "steps=1", "posterior=sample", "chunk_frames=16", "tile_size=-8"),
    "run": ("run", "run2", "garbage.bin", "empty", "missing"),
    "runs": ("run", "run2", "empty", "missing"),
    "items": ("run", "run2", "bicubic-4chn", "bicubic-8chn"),
    "suite": ("tiny.toml", "garbage.toml", "missing.toml"),
    "out": ("out", "run", "videos/a.mp4", "empty", "missing/deep/er", "out.mp4"),
    "cards": ("empty", "videos", "missing", "cards"),
    "format_": ("csv", "markdown", "terminal", "html", "latex"),
    "recipe": ("garbage.toml", "missing.toml"),
    "videos": ("videos", "missing"),
    "name": ("lpips-vgg", "fvd-i3d"),
    "reader": ("auto", "pyav", "decord"),
    "kind": ("tokenizers", "datasets", "metrics", "suites"),
    "device": ("cpu", "auto", "cuda:7", "meta"),
    **dict.fromkeys(("batch_size", "prefetch", "limit", "limit_videos", "threads", "timeout", "keep_recon"), NUMBERS),
    **dict.fromkeys(("decode_workers", "clip_cache"), NUMBERS),
    **dict.fromkeys(("height", "width", "frames", "windows", "steps", "size", "table"), NUMBERS),
}
"""What fits a parameter of a name."""
COMMANDS = (
    *(("run",), ("run",), ("run",), ("plan",), ("merge",), ("report",), ("compare",), ("verify",), ("list",)),
    *(("data", "list"), ("data", "check"), ("weights", "list"), ("weights", "path"), ("weights", "pull")),
    *(("reconstruct",), ("complexity",), ("check-adapter",), ("train",), ("doctor",), ("no-such-command",)),
)
REQUIRED: dict[str, tuple[str, ...]] = {"complexity": ("tokenizer",), "train": ("recipe",)}
"""Parameters without which a command works on everything there is, which takes minutes."""


class RandomCommand(FaultKind):
    """A command with random words, in a folder with small runs, videos and garbage."""

    name = "command lines"
    tried = "a command with random options and words, among them names of runs, videos and garbage, without network"
    share = 700
    per_process = 25

    def prepare(self, folder: Path) -> None:
        videos = tiny_runs.write_videos(folder / "videos")
        for name in ("run", "run2"):
            tiny_runs.run(folder / name, tiny_runs.suite(videos))
        (folder / "garbage.bin").write_bytes(np.random.default_rng(0).bytes(3000))
        (folder / "garbage.toml").write_bytes(b"name = [\xff\n")
        (folder / "empty").mkdir()
        (folder / "cards").mkdir()
        (folder / "cards" / "broken.toml").write_text("name = 1\n")
        (folder / "tiny.toml").write_text(
            'name = "tiny"\ndatasets = ["own=folder:videos"]\ntokenizers = ["bicubic-4chn"]\nmetrics = ["psnr"]\n'
            "protocol_changes = { height = 32, width = 32 }\n"
        )

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        words = random_command(rng)
        shutil.copytree(folder, scratch / "work")
        os.chdir(scratch / "work")
        # Far too wide for a line of the terminal, so that no message is cut.
        os.environ.update(HF_HUB_OFFLINE="1", COLUMNS="500", TOKLAB_CACHE=str(scratch / "cache"))
        _stay_in_this_process()
        code, output, error = invoke(words)
        detail = f"toklab {' '.join(map(ascii, words))}"[:400]
        if error:
            return Outcome("traceback", f"{detail}: {error}")
        if "Traceback (most recent call last)" in output:
            return Outcome("traceback", f"{detail}: {output[-300:]}")
        if code and not output.strip():
            return Outcome("wrong", f"{detail}: exit code {code} without a word")
        return Outcome("refused" if code else "survived", f"{detail}: {code}")


def random_command(rng: np.random.Generator) -> list[str]:
    """A command with some of its parameters, whose values fit or don't."""
    path = COMMANDS[int(rng.integers(0, len(COMMANDS)))]
    command: Any = typer.main.get_command(app)
    for name in path:
        command = getattr(command, "commands", {}).get(name)
    words = list(path)
    if command is None:
        return [*words, *(str(rng.choice(WORDS)) for _ in range(int(rng.integers(0, 3))))]
    needed = REQUIRED.get(path[-1], ())
    for parameter in command.params:
        required = parameter.required or parameter.name in needed
        if rng.random() > (0.95 if required else 0.2) and parameter.name not in needed:
            continue
        if parameter.name == "help":
            continue
        for _ in range(int(rng.integers(1, 3)) if parameter.multiple or parameter.nargs == -1 else 1):
            if parameter.param_type_name == "option":
                words.append(str(rng.choice(parameter.opts)))
                if parameter.is_flag:
                    continue
            words.append(random_value(parameter, rng))
    if rng.random() < 0.1:
        words.insert(int(rng.integers(0, len(words) + 1)), str(rng.choice(WORDS)))
    return words


def random_value(parameter: Any, rng: np.random.Generator) -> str:
    """A value for a parameter: one that fits, in two of three cases."""
    fitting = FITTING.get(parameter.name or "", ())
    if fitting and rng.random() < 0.67:
        return fitting[int(rng.integers(0, len(fitting)))]
    return WORDS[int(rng.integers(0, len(WORDS)))]


def invoke(words: list[str]) -> tuple[int, str, str]:
    """Exit code, output, and the error that the command didn't turn into a message."""
    streams = sys.argv, sys.stdin, sys.stdout, sys.stderr
    written = [io.BytesIO(), io.BytesIO()]
    out = io.TextIOWrapper(written[0], encoding="utf-8", errors="strict")
    err = io.TextIOWrapper(written[1], encoding="utf-8", errors="backslashreplace")
    code, uncaught = 0, ""
    try:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = ["toklab", *words], io.StringIO(""), out, err
        # Without the supervisor of `toklab run`, whose process would have to load torch anew.
        _main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    except BaseException as error:
        uncaught = f"{type(error).__name__}: {error}"
        here = error.__traceback__
        while here is not None and here.tb_next is not None:
            here = here.tb_next
        if here is not None:
            uncaught += f" ({Path(here.tb_frame.f_code.co_filename).name}:{here.tb_lineno})"
    finally:
        out.flush()
        err.flush()
        sys.argv, sys.stdin, sys.stdout, sys.stderr = streams
    return code, "".join(stream.getvalue().decode(errors="replace") for stream in written), uncaught


def _stay_in_this_process() -> None:
    """Decode without another process, and reach no network."""
    decoder = tiny_runs.InProcessDecoder()
    DecodeWorker._request = lambda self, *request: decoder._request(*request)  # type: ignore[method-assign]

    def refuse(*arguments: Any, **named: Any) -> Any:
        raise OSError("no network in a campaign")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = refuse  # type: ignore[assignment]
