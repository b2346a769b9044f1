"""A training from recipe to card: wires clips, networks, loss terms and validation into the loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ...datasets.streamed_clips import StreamedClips
from ...tokenizers import checkpoints
from ...tokenizers.card import Card, TrainingRecord
from ...tokenizers.catalog import build_tokenizer, load_cards
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.training.checkpoint import has_checkpoint
from ...tokenizers.training.errors import TrainingError
from ...tokenizers.training.export import card_path, export, initial_card, stored_weights, weights_path
from ...tokenizers.training.loop import BestWeights, Progress, TrainingResult, train
from ...tokenizers.training.losses import ReconstructionTerms
from ...tokenizers.training.named_code import import_named, require_trust
from ...tokenizers.training.objective import Objective
from ...tokenizers.training.recipe import Recipe, load_recipe
from ...tokenizers.trust.weight_files import load_state
from .clips import Clips, data_identity, is_first_process, open_clips
from .origin import note_origin, noted_origin
from .passed_over import FILE_NAME as PASSED_OVER_FILE
from .passed_over import num_passed_over
from .starvation import StarvationWatch
from .terms import reconstruction_terms, terms_of_objective
from .validation import MakeValidator, Validation, Validator, reconstruction_quality

MAX_HALF_PRECISION_LOSS_DB = 0.05
"""Weights are kept in float16 where that changes PSNR by less."""
NUM_STARTING_CLIPS = 32
"""Clips that a recipe's ``start`` or ``grow`` is given."""
BEST_FOLDER = "best"
"""In a training's folder: card and weights of the best validation."""


@dataclass(frozen=True)
class TrainingOptions:
    """What the user decides beside the recipe."""

    out: Path
    """Folder of the training."""
    data: Path | None = None
    """Folder of videos or shards, or a list of them; ``None``: synthetic clips alone."""
    init: Path | None = None
    """Weights file to start from in place of the one the recipe's ``init`` leads to."""
    resume: bool = False
    device: str = "cpu"
    tensorboard: bool = False
    num_workers: int = 1
    """Processes that decode streamed clips, for each process of the training."""
    command: str = ""
    """What the card says repeats the training."""


def run_training(
    recipe_name: str | Path,
    options: TrainingOptions,
    *,
    steps: int | None = None,
    make_validator: MakeValidator | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] = lambda text: None,
) -> Path:
    """Train a recipe and write weights, card, logs and checkpoint into the options' folder.

    With videos of the user's own to validate on, card and weights of the best validation are kept in ``best``, too.

    Args:
        recipe_name: a shipped recipe, or a TOML file.
        options: the user's.
        steps: in place of the recipe's.
        make_validator: gives what measures on the user's own videos; ``None``: the built-in sample is measured.
        on_progress: called after every step.
        on_message: called with lines for the user.

    Returns:
        The card.

    Raises:
        ValueError: :class:`TrainingError`, ``CardError``, ``TokenizerError`` or an error of the dataset, with the hint.
    """
    recipe = recipe_of(recipe_name, steps)
    require_trust(recipe)
    if not is_first_process():
        on_message = _nobody
    validation = Validation.from_mapping(recipe.validation)
    tokenizer = build_tokenizer(initial_card(recipe))
    clips = open_clips(recipe, options.data, options.out, options.num_workers, on_message)
    try:
        return _train(recipe, options, tokenizer, clips, validation, make_validator, on_progress, on_message)
    finally:
        clips.close()


def _train(
    recipe: Recipe,
    options: TrainingOptions,
    tokenizer: VideoTokenizer,
    clips: Clips,
    validation: Validation,
    make_validator: MakeValidator | None,
    on_progress: Callable[[Progress], None] | None,
    on_message: Callable[[str], None],
) -> Path:
    if not has_checkpoint(options.out):
        note_origin(options.out, start(recipe, options, tokenizer, clips))
    terms = reconstruction_terms(recipe, on_message)
    objective = build_objective(recipe, network_of(tokenizer), terms)
    held_out = validation.clips(17 if tokenizer.spec.causal else 16)
    validator = make_validator(validation) if make_validator else None
    described = (validator or validation).description
    record_of = partial(_record, recipe, options, clips, data_identity(recipe, options.data), described)
    pace = (lambda: clips.pace) if isinstance(clips, StreamedClips) else None
    watch = StarvationWatch(on_message, pace)

    def keep_best(result: TrainingResult) -> None:
        export(options.out / BEST_FOLDER, recipe, stored_weights(result.weights, half=False), record_of(result))

    def show(progress: Progress) -> None:
        watch.look(progress)
        if on_progress is not None:
            on_progress(progress)

    def validate(step: int) -> Mapping[str, float]:
        return validator(tokenizer, step) if validator else reconstruction_quality(tokenizer, held_out)

    result = train(
        recipe,
        objective,
        terms,
        clips,
        validate,
        options.out,
        resume=options.resume,
        device=options.device,
        tensorboard=options.tensorboard,
        best=BestWeights(validation.best, validator.is_higher_better, keep_best) if validator else None,
        on_progress=show,
    )
    if (number := num_passed_over(options.out)) and isinstance(clips, StreamedClips):
        on_message(f"{number} videos were passed over: {options.out / PASSED_OVER_FILE}")
    if not is_first_process():
        return card_path(options.out, tokenizer.spec.name)
    return export(options.out, recipe, _weights_to_keep(result, tokenizer, held_out, validator), record_of(result))


def _record(
    recipe: Recipe,
    options: TrainingOptions,
    clips: Clips,
    data_hash: str,
    validation: str,
    result: TrainingResult,
) -> TrainingRecord:
    """What a card says of its training.

    Args:
        recipe: what was trained.
        options: the user's.
        clips: what it was trained on.
        data_hash: identity of their videos.
        validation: what was measured, in words.
        result: of the weights that the card names.
    """
    num_left_out = num_passed_over(options.out)
    left_out = f", {num_left_out} videos passed over" if num_left_out else ""
    return TrainingRecord(
        recipe=recipe.name,
        command=options.command or f"toklab train {recipe.name}",
        data=clips.description + left_out,
        steps=result.steps,
        seed=recipe.optimization.seed,
        seconds=round(result.seconds),
        device=_device_name(options.device),
        validation=validation,
        psnr=round(float(result.validation["psnr"]), 3),
        start_psnr=round(float(result.start["psnr"]), 3) if result.start else None,
        recipe_hash=recipe.identity,
        data_hash=data_hash,
        init_hash=noted_origin(options.out),
    )


def _nobody(text: str) -> None:
    """Takes the lines of all processes but the first, which would say the same."""


def start(recipe: Recipe, options: TrainingOptions, tokenizer: VideoTokenizer, clips: Clips) -> Path | None:
    """Give a tokenizer the weights that training starts from: random, fitted, another recipe's, or grown ones.

    What fits or grows them gets batches beyond the recipe's last one.

    Returns:
        The file of weights that they come from, if any.

    Raises:
        TrainingError: if the weights of the recipe's ``init`` aren't there.
    """
    model = network_of(tokenizer)
    plan = recipe.optimization
    first, batch_size = plan.steps * plan.accumulated_batches, plan.batch_size
    steps = range(first, first + math.ceil(NUM_STARTING_CLIPS / batch_size))
    if recipe.init:
        base_card = initial_card(load_recipe(recipe.init))
        weights_file = _initial_weights(recipe, base_card, options)
        state = load_state(weights_file)
        if not recipe.grow:
            tokenizer.load_state(state)
            return weights_file
        base = build_tokenizer(base_card)
        base.load_state(state)
        import_named(recipe, "grow")(network_of(base), model, torch.cat([clips(step) for step in steps]))
        return weights_file
    if options.init is not None:
        tokenizer.load_state(load_state(options.init))
    elif recipe.start:
        import_named(recipe, "start")(model, torch.cat([clips(step) for step in steps]))
    return options.init


def _initial_weights(recipe: Recipe, base: Card, options: TrainingOptions) -> Path:
    """``--init``, else what a training of the recipe ``init`` left beside this one's folder, else what ships."""
    if options.init is not None:
        return options.init
    beside = weights_path(options.out.parent / recipe.init, base.name)
    if beside.is_file():
        return beside
    shipped = load_cards().get(base.name)
    path = checkpoints.find(shipped) if shipped is not None else None
    if path is None:
        raise TrainingError(
            f"{recipe.name} starts from the weights of {recipe.init}, which are not at {beside}; run toklab train "
            f"{recipe.init} --out {options.out.parent / recipe.init}, or give --init FILE"
        )
    return path


def network_of(tokenizer: VideoTokenizer) -> nn.Module:
    """The network that an adapter holds as ``model``, every parameter of which may be trained.

    Raises:
        TrainingError: if it holds none.
    """
    model = getattr(tokenizer, "model", None)
    if not isinstance(model, nn.Module):
        raise TrainingError(f"{tokenizer.spec.name} can't be trained: its adapter has no network called model")
    return model.train().requires_grad_(True)


def build_objective(recipe: Recipe, model: nn.Module, terms: ReconstructionTerms) -> Objective:
    """The recipe's objective on a model; ``terms`` are its perceptual loss, if there are any.

    Raises:
        TrainingError: if it can't be imported or isn't trusted, or refuses the recipe's parameters.
    """
    kind = import_named(recipe, "objective")
    try:
        return kind(model, **terms_of_objective(kind, recipe, terms), **recipe.parameters)
    except TypeError as error:
        raise TrainingError(f"{recipe.name}: {recipe.objective} refuses the recipe's parameters: {error}") from error


def _weights_to_keep(
    result: TrainingResult, tokenizer: VideoTokenizer, clips: list[Tensor], validator: Validator | None
) -> dict[str, Tensor]:
    """The weights in float16, unless that costs quality on the built-in sample; then as they are."""
    psnr = result.validation["psnr"]
    if validator is not None:
        # That figure is of the user's videos.
        tokenizer.load_state(dict(result.weights))
        psnr = reconstruction_quality(tokenizer, clips)["psnr"]
    half = stored_weights(result.weights, half=True)
    tokenizer.load_state({name: value.float() for name, value in half.items()})
    loss = psnr - reconstruction_quality(tokenizer, clips)["psnr"]
    return half if abs(loss) < MAX_HALF_PRECISION_LOSS_DB else stored_weights(result.weights, half=False)


def recipe_of(name: str | Path, steps: int | None) -> Recipe:
    """A recipe, for as many steps as asked for, or its own; errors are those of :func:`load_recipe`."""
    recipe = load_recipe(name)
    return recipe if steps is None else replace(recipe, optimization=replace(recipe.optimization, steps=steps))


def _device_name(device: str) -> str:
    """Of a GPU its name, of a CPU the number of threads."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
