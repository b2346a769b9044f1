"""The clips of a training: decoded beforehand, or streamed; and what is said of them on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...datasets.decoded_frames import DecodedFrames
from ...datasets.identity import list_identity
from ...datasets.locations import cache_folder
from ...datasets.streamed_clips import StreamedClips
from ...datasets.training_clips import TrainingClips, synthetic_frames
from ...datasets.training_data import TrainingData
from ...datasets.training_videos import must_stream, stream_identity, training_sources, training_videos
from ...tokenizers.training.checkpoint import has_checkpoint
from ...tokenizers.training.recipe import Recipe
from .passed_over import PassedOver, forget_passed_over

OnMessage = Callable[[str], None]

Clips = TrainingClips | StreamedClips


def num_processes() -> int:
    """Processes of this training, as ``torchrun`` says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is the process that writes files and talks."""
    return int(os.environ.get("RANK", "0")) == 0


def open_clips(recipe: Recipe, place: Path | None, out: Path, num_workers: int, on_message: OnMessage) -> Clips:
    """The clips of a recipe, from the videos at ``place``, if any.

    Args:
        recipe: its ``data`` says how they are cut, and whether they are streamed.
        place: see :func:`toklab.datasets.training_videos.training_videos`.
        out: folder of the training; without a checkpoint in it, the videos that were passed over before don't count.
        num_workers: processes that decode a stream, for each process of the training.
        on_message: takes lines for the user.

    Raises:
        ValueError: the data's, or an error of the dataset, with the hint.
    """
    data, plan = TrainingData.from_mapping(recipe.data), recipe.optimization
    cache = cache_folder() / "training"
    goes_on = has_checkpoint(out)
    if not goes_on and is_first_process():
        forget_passed_over(out)
    passed_over = PassedOver(out, on_message, goes_on=goes_on)
    if place is None or not _is_streamed(data, place):
        clips = TrainingClips(
            data,
            plan.batch_size,
            plan.seed,
            place,
            cache,
            lambda done, of: on_message(f"clips: {done} of {of} videos are ready") if done == of else None,
        )
        for reason in clips.skipped:
            passed_over.add(reason)
        return clips
    frames = DecodedFrames(cache, data.short_side)
    streamed = StreamedClips(
        data,
        plan.batch_size,
        plan.seed,
        training_videos(place, cache),
        synthetic_frames(data, frames) if data.synthetic_share else None,
        num_processes=num_processes(),
        num_workers=num_workers,
        on_passed_over=passed_over.add,
    )
    streamed.start_workers()
    on_message(f"clips: streamed from {streamed.description}")
    return streamed


def data_identity(recipe: Recipe, place: Path | None) -> str:
    """What the list of a training's videos is known by."""
    if place is None:
        return list_identity([])
    if _is_streamed(TrainingData.from_mapping(recipe.data), place):
        return stream_identity(training_videos(place, cache_folder() / "training"))
    return list_identity(training_sources(place))


def _is_streamed(data: TrainingData, place: Path) -> bool:
    """Whether the videos at ``place`` are decoded while the training goes on."""
    return data.stream or must_stream(place)
