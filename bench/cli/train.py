"""`toklab train`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.text import printable
from .output import say
from .run_options import DeviceOption
from .trust import TrustCardsOption

if TYPE_CHECKING:
    from ...tokenizers.training.loop import Progress as TrainingProgress


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe or a TOML file.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of videos or of .tar shards, or a .txt or .csv file that lists videos [default: synthetic "
            "clips alone]."
        ),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(help="Your own videos to validate on: a folder or a dataset [default: the built-in sample]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write [default: trainings/RECIPE].")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps [default: the recipe's].")] = None,
    init: Annotated[
        Path | None, typer.Option(help="Weights to start from [default: what the recipe's `init` left beside --out].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    device: DeviceOption = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that decode streamed clips [default: one less than the cores, at most 8]."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's events too.")] = False,
    trust_cards: TrustCardsOption = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Say what the training would take, and train nothing.")
    ] = False,
    clips_per_second: Annotated[
        float | None,
        typer.Option(min=0.001, help="With --dry-run: clips that all processes train on in a second; gives hours."),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="With --dry-run: processes that train together.")] = 1,
) -> None:
    """Train a tokenizer and write its weights, its card and the log into a folder.

    A training that was interrupted goes on with --resume and ends with the weights that it would have had without the
    interruption. The result runs as it lies there: `toklab run -t NAME -d sample --cards OUT/cards`.

    Examples:

        toklab train vidtok-kl-4chn

        toklab train vidtok-fsq-32768 --data clips/ --out trainings/fsq --device cuda

        toklab train vidtok-kl-16chn --data videos.csv --validate held-out/ --workers 8 --device cuda

        toklab train my-recipe.toml --data clips.txt --steps 500 --resume

        toklab train vidtok-paper-stage1 --dry-run --processes 8 --clips-per-second 40

        torchrun --nproc-per-node 2 --no-python toklab train vidtok-kl-16chn --data clips/ --device cuda
    """
    if clips_per_second is not None and not math.isfinite(clips_per_second):
        raise typer.BadParameter(f"give a number, not {clips_per_second:g}", param_hint="--clips-per-second")
    if dry:
        from ..training.dry_run import dry_run

        say(dry_run(recipe, steps=steps, processes=processes, clips_per_second=clips_per_second).text)
        return
    if clips_per_second is not None or processes > 1:
        raise typer.BadParameter("--clips-per-second and --processes go with --dry-run")

    import torch

    from ..execution.options import default_decode_workers, resolve_device
    from ..training.training import TrainingOptions, run_training
    from ..training.validation import Validation
    from .training_validator import VideoValidator

    if threads:
        torch.set_num_threads(threads)
    folder = out or Path("trainings") / Path(recipe).stem
    options = TrainingOptions(
        out=folder,
        data=data,
        init=init,
        resume=resume,
        device=resolve_device(device),
        tensorboard=tensorboard,
        num_workers=workers or max(1, default_decode_workers() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))),
        command=_recorded_command(recipe, data=data, validate=validate, steps=steps, init=init),
    )
    with _TrainingBar() as bar:

        def make_validator(validation: Validation) -> VideoValidator:
            assert validate is not None
            return VideoValidator(validate, validation, folder, bar.message, tensorboard=tensorboard)

        card = run_training(
            recipe,
            options,
            steps=steps,
            make_validator=make_validator if validate else None,
            on_progress=bar.show,
            on_message=bar.message,
        )
    say(str(card))


def _recorded_command(
    recipe: str, *, data: Path | None, validate: str | None, steps: int | None, init: Path | None
) -> str:
    """What the card says of the command: the options that decide the weights, places without their folders."""
    words = {
        "--data": data.name if data else None,
        "--validate": Path(validate).name if validate else None,
        "--steps": steps,
        "--init": init.name if init else None,
    }
    given = [f"{option} {value}" for option, value in words.items() if value]
    return " ".join(["toklab train", recipe, *given])


class _TrainingBar:
    """A bar with loss and PSNR on standard error; a line for every validation where there is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=None)
        self._shown: dict[str, float] = {}

    def __enter__(self) -> _TrainingBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(printable(text), style="dim", highlight=False, markup=False)

    def show(self, progress: TrainingProgress) -> None:
        """Move the bar."""
        psnr = f", PSNR {progress.validation['psnr']:.2f} dB" if "psnr" in progress.validation else ""
        self._bar.update(
            self._task,
            total=progress.steps,
            completed=progress.step,
            description=f"loss {progress.loss:.4f}{psnr}",
        )
        if not self.console.is_terminal and progress.validation != self._shown:
            self._shown = dict(progress.validation)
            self.message(
                f"step {progress.step}/{progress.steps}, {progress.seconds:.0f} s: loss {progress.loss:.4f}{psnr}"
            )


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(train)
