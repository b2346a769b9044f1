"""Validation of a model in training on the user's own videos, by the bench: its figures are those of `toklab run`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from ...datasets.protocol import Protocol, load_protocol
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.training.errors import TrainingError
from ..analysis.run import Run
from ..api import EvaluationError, evaluate
from ..catalog.broken_metric import find_metric
from ..catalog.catalog import metrics
from ..training.validation import Validation
from .training_samples import TrainingSamples


class VideoValidator:
    """Measures a tokenizer with the metrics of a recipe's ``validation``, and keeps strips of what it makes.

    Args:
        videos: a folder, a file or a dataset, as :func:`toklab.bench.evaluate` takes it.
        validation: the recipe's.
        out: folder of the training.
        on_message: takes lines for the user.
        tensorboard: whether strips are written to TensorBoard, too.

    Raises:
        ValueError: if a metric or the protocol doesn't exist, or no value of ``best`` is better than another.
    """

    def __init__(
        self,
        videos: str,
        validation: Validation,
        out: Path,
        on_message: Callable[[str], None],
        *,
        tensorboard: bool = False,
    ):
        for name in validation.metrics:
            metrics().check(name)
        direction = find_metric(validation.best).direction
        if direction == "none":
            raise TrainingError(f"validation: {validation.best} has no best value; choose another metric as best")
        self.is_higher_better = direction == "higher"
        self._videos = videos
        self._validation = validation
        self._on_message = on_message
        self._protocol = _sized(load_protocol(validation.protocol), validation.size)
        self._samples = TrainingSamples(videos, self._protocol, validation.num_samples, out, tensorboard=tensorboard)
        self._said: set[str] = set()

    @property
    def description(self) -> str:
        """What is measured, in words."""
        name = Path(self._videos).name or self._videos
        return f"at most {self._validation.num_clips} windows of {name}, protocol {self._protocol.name}"

    def __call__(self, tokenizer: VideoTokenizer, step: int, /) -> Mapping[str, float]:
        """Figures by metric; those that can't be had are said once, and left out.

        Raises:
            TrainingError: if nothing could be measured, or there is no PSNR, or none of the metric that chooses the
                best weights.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = self._run(tokenizer)
        for warning in caught:
            self._say_once(f"validation: {warning.message}")
        figures: dict[str, float] = {}
        for row in run.table().to_dict("records"):
            name, value = str(row["metric"]), float(row["value"])
            if math.isnan(value):
                self._say_once(f"validation: no {name}: {'; '.join(filter(None, (row['note'], row['hint'])))}")
            else:
                figures.setdefault(name, value)
        for name in {"psnr", self._validation.best} - set(figures):
            raise TrainingError(f"validation: there is no {name} of {self._videos}, so no weights can be chosen")
        self._samples.draw(tokenizer, step)
        return figures

    def _run(self, tokenizer: VideoTokenizer) -> Run:
        try:
            return evaluate(
                tokenizer,
                self._videos,
                metrics=self._validation.metrics,
                protocol=self._protocol,
                limit=self._validation.num_clips,
                progress=False,
            )
        except EvaluationError as error:
            raise TrainingError(f"validation: {error}") from error

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._on_message(text)


def _sized(protocol: Protocol, size: int) -> Protocol:
    """The protocol at another size; one of clips at their own size stays as it is."""
    return protocol if protocol.size_multiple else protocol.derive(height=size, width=size)
