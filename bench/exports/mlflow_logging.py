"""Figures of a run in MLflow; needs ``pip install 'toklab[mlflow]'``."""

from __future__ import annotations

import os

from ..analysis.run import Run
from .logged_runs import LoggingError, logged_runs

# MLflow reads it when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

MAX_TAG = 5000
"""Characters of a tag, by MLflow's own limit."""


def log_to_mlflow(run: Run, experiment: str = "toklab", tracking_uri: str | None = None) -> list[str]:
    """Log each tokenizer, dataset and protocol of a run as one MLflow run; returns their identities.

    Args:
        run: from :func:`toklab.bench.open_run`.
        experiment: name of the experiment; made if missing.
        tracking_uri: a server, such as ``http://localhost:5000``; as MLflow's own environment says if not given. A
            database, such as ``sqlite:///mlflow.db``, takes the package ``mlflow``, of which the extra has the part
            that talks to servers.

    Raises:
        LoggingError: if MLflow isn't installed, or refuses.
    """
    try:
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise LoggingError(f"MLflow isn't here ({error}): pip install 'toklab[mlflow]'") from error
    try:
        return _log(run, experiment, tracking_uri)
    except MlflowException as error:
        raise LoggingError(f"MLflow refuses: {error}") from error


def _log(run: Run, experiment: str, tracking_uri: str | None) -> list[str]:
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=tracking_uri)
    known = client.get_experiment_by_name(experiment)
    experiment_id = client.create_experiment(experiment) if known is None else known.experiment_id
    identities = []
    for logged in logged_runs(run):
        made = client.create_run(experiment_id, run_name=logged.name, tags={"toklab.run": run.name[:MAX_TAG]})
        identity = made.info.run_id
        client.log_batch(
            identity,
            metrics=[Metric(name, value, made.info.start_time, 0) for name, value in logged.figures.items()],
            params=[Param(name, value) for name, value in logged.parameters.items()],
            tags=[RunTag(f"note.{name}", note[:MAX_TAG]) for name, note in logged.notes.items()],
        )
        client.set_terminated(identity)
        identities.append(identity)
    return identities
