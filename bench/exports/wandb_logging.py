"""Figures of a run in Weights & Biases; needs ``pip install 'toklab[wandb]'``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..analysis.run import Run
from .logged_runs import LoggingError, logged_runs

# wandb reads it when it is imported, and would send its own crashes to its makers.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

Mode = Literal["online", "offline", "disabled"]


def log_to_wandb(
    run: Run, project: str = "toklab", mode: Mode | None = None, folder: str | Path | None = None
) -> list[str]:
    """Log each tokenizer, dataset and protocol of a run as one W&B run; returns their identities.

    Figures are in the summary, notes are in the summary under ``note.METRIC``.

    Args:
        run: from :func:`toklab.bench.open_run`.
        project: name of the project.
        mode: ``"offline"`` keeps everything in ``folder``; as W&B's own environment says if not given.
        folder: where W&B keeps its files; the working folder if not given.

    Raises:
        LoggingError: if wandb isn't installed, or refuses.
    """
    try:
        import wandb
    except ImportError as error:
        raise LoggingError(f"wandb isn't here ({error}): pip install 'toklab[wandb]'") from error
    try:
        return _log(run, project, mode, folder)
    except wandb.Error as error:
        raise LoggingError(f"Weights & Biases refuses: {error}") from error


def _log(run: Run, project: str, mode: Mode | None, folder: str | Path | None) -> list[str]:
    import wandb

    identities = []
    for logged in logged_runs(run):
        with wandb.init(
            project=project,
            name=logged.name,
            group=run.name[:128],
            config=dict(logged.parameters),
            mode=mode,
            dir=None if folder is None else str(folder),
            reinit="create_new",
        ) as entry:
            entry.summary.update({**logged.figures, **{f"note.{name}": note for name, note in logged.notes.items()}})
            identities.append(str(entry.id))
    return identities
