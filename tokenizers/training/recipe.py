"""A recipe: what is trained, on what and how, as a TOML file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ..card_file import NAME_PATTERN
from ..errors import did_you_mean
from .errors import TrainingError

Section = TypeVar("Section")

CODE_KEYS = ("objective", "grow", "start")
"""Keys of a recipe that name code, ``module:name``. Its tokenizer is a card, which has a check of its own."""
INTERVALS = ("log_every", "validate_every", "checkpoint_every")
"""Fields of :class:`Optimization` that don't decide the weights."""
AT_LEAST_ONE = ("batch_size", "accumulated_batches", *INTERVALS)


def later(default: Any) -> Any:
    """A field that recipes didn't have from the start; at its default it leaves their identity as it was."""
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class Optimization:
    """How weights are moved, for how long, and what is written on the way."""

    steps: int = 2000
    """Optimizer steps."""
    batch_size: int = 4
    """Clips of a batch; each process has its own."""
    accumulated_batches: int = later(1)
    """Batches whose gradients make one step: a step sees this · ``batch_size`` clips a process."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    """Where the cosine ends; without effect on a constant schedule."""
    schedule: Literal["cosine", "constant"] = "cosine"
    full_rate_fan_in: int = 0
    """A weight of more inputs per output than this learns at ``learning_rate`` · this / inputs; 0: all at the same.

    Adam moves all weights alike, so an output moves with the number of its inputs (Yang et al. 2022, Tensor Programs V,
    arXiv:2203.03466, table 3). What a ``start`` fitted is lost at the first steps without this.
    """
    warmup_steps: int = 50
    """Steps over which the learning rate rises linearly to its full value."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; those of the discriminator have their own."""
    ema_decay: float = 0.995
    """Of the averaged weights, which are validated and kept."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """As Lightning Fabric calls it; weights and loss terms are in float32 always. ``16-mixed`` scales losses."""
    compile: bool = later(False)
    """Whether ``torch.compile`` makes kernels for the networks, which takes minutes once."""
    seed: int = 0
    """Everything random follows from it, the step and the process."""
    log_every: int = 20
    """Steps from one row of the log to the next."""
    validate_every: int = 250
    checkpoint_every: int = 100


@dataclass(frozen=True)
class Terms:
    """Weights of the terms that are added to the objective's own as its perceptual loss; 0 leaves a term out."""

    ssim: float = 0.0
    """Of :func:`toklab.tokenizers.training.losses.multi_scale_ssim_loss`."""
    lpips: float = 0.0
    """Of LPIPS (VGG); where its weights aren't on this machine, ``ssim_instead`` is the weight of the SSIM term."""
    ssim_instead: float = 0.0
    lpips_dropout: bool = later(False)
    """Whether half of LPIPS's differences are left out at random, as it happens in VidTok's trainings."""
    adversarial: float = 0.0
    """Of what a discriminator says of the reconstruction; see :attr:`adversarial_apart`."""
    adversarial_start: int = 0
    """Optimizer steps before the discriminator takes part."""
    adversarial_weighting: Literal["constant", "adaptive"] = later("constant")
    """``adaptive``: the weight is multiplied by the ratio of the gradients' norms in the decoder's last layer, that of
    the reconstruction loss over that of the adversarial one (Esser et al. 2021, arXiv:2012.09841, equation 7)."""
    generator_logits: Literal["patch", "sample"] = later("patch")
    """What the generator's loss is averaged over: all logits, or their mean over each sample that the discriminator
    sees, a frame or a clip. VidTok's code does the latter."""
    discriminator: Literal["small-3d", "patch-2d", "patch-3d"] = later("small-3d")
    """``patch-2d``: VidTok's PatchGAN on single frames; ``patch-3d``: the same on clips; both with batch norm."""
    discriminator_loss: Literal["non-saturating", "hinge"] = later("non-saturating")
    discriminator_width: int = 16
    """Channels of the discriminator's first layer."""
    discriminator_layers: int = later(3)
    """Layers of a PatchGAN that halve its frames."""
    discriminator_learning_rate: float = 1e-4
    discriminator_clip_norm: float = later(0.0)
    """The discriminator's gradients are scaled down to this norm; 0 leaves them."""
    lecam: float = 0.001
    """Weight of LeCAM in the discriminator's loss."""

    @property
    def adversarial_apart(self) -> bool:
        """Whether the adversarial term is added to the whole loss.

        In its first form, with a small discriminator and plain losses, it is part of the perceptual loss: whatever the
        objective multiplies that by holds for it, too.
        """
        plain = ("constant", "patch", "small-3d", "non-saturating")
        return (
            self.adversarial_weighting,
            self.generator_logits,
            self.discriminator,
            self.discriminator_loss,
        ) != plain


@dataclass(frozen=True)
class Recipe:
    """Everything a training follows from, but the user's videos."""

    name: str
    objective: str
    """``module:class`` of the family's :class:`Objective`; a leading dot is relative to ``toklab.tokenizers``.

    It is called with the model, ``perceptual``, and ``parameters``.
    """
    tokenizer: Mapping[str, Any]
    """The card of the trained tokenizer, without its checkpoint."""
    description: str = ""
    extends: str = ""
    """Recipe whose values these override, table by table; a path is relative to this file."""
    init: str = ""
    """Recipe whose trained weights this one starts from; empty: random weights."""
    grow: str = ""
    """``module:function`` that is given the model of ``init``, the model of this recipe and clips (B, 3, T, H, W), and
    sets the weights of the second one in place; empty: the models are the same."""
    start: str = ""
    """``module:function`` that is given the model and clips, and sets the weights in place, where there is no ``init``;
    empty: they stay as drawn."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Constructor parameters of the objective."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """For whoever makes the clips: see :class:`toklab.datasets.training_clips.TrainingData`."""
    validation: Mapping[str, Any] = field(default_factory=dict)
    """For whoever measures: see :class:`toklab.bench.training.validation.Validation`."""
    terms: Terms = field(default_factory=Terms)
    optimization: Optimization = field(default_factory=Optimization)

    @property
    def identity(self) -> str:
        """Canonical hash of what decides the weights, 16 hexadecimal digits."""
        deciding = dataclasses.asdict(self)
        for name in ("name", "description", "extends", "validation"):
            del deciding[name]
        for name in INTERVALS:
            del deciding["optimization"][name]
        _leave_out_later_fields(self, deciding)
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


def _leave_out_later_fields(section: Any, values: dict[str, Any]) -> None:
    """Remove fields of :func:`later` at their default from the values of a dataclass, and of those in it."""
    for f in dataclasses.fields(section):
        value = getattr(section, f.name)
        if f.metadata.get("later") and value == f.default:
            values.pop(f.name, None)
        elif dataclasses.is_dataclass(value) and f.name in values:
            _leave_out_later_fields(value, values[f.name])


def shipped_recipes() -> dict[str, Traversable]:
    """The recipes that ship with toklab, by name."""
    folder = files(f"{__package__}.recipes")
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}


def load_recipe(name: str | Path) -> Recipe:
    """A shipped recipe by name, or one from a TOML file.

    Raises:
        TrainingError: if there is none of that name, or the file can't be used; naming the file, the key and the hint.
    """
    values, file = _read(name, Path())
    return _recipe(values, file)


def _read(name: str | Path, folder: Path, readers: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """The values of a recipe, with those of the recipes it extends, and the file that errors name."""
    shipped = shipped_recipes()
    source: Traversable
    if str(name) in shipped:
        source = shipped[str(name)]
    elif str(name).endswith(".toml"):
        source = folder / Path(name).expanduser()
    else:
        where = f"{readers[-1]}: extends: " if readers else ""
        raise TrainingError(
            f"{where}there is no recipe {name}{did_you_mean(str(name), shipped)}; give a TOML file, or one of these: "
            f"{', '.join(sorted(shipped))}"
        )
    file = str(source)
    if file in readers:
        raise TrainingError(f"{file}: extends itself; remove extends from one of {', '.join(readers)}")
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{file}: can't be read as a recipe (TOML): {error}") from error
    if base := values.get("extends"):
        inherited, _ = _read(base, Path(file).parent, (*readers, file))
        values = _merged(inherited, values)
    return values, file


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``; tables are merged, except a regularizer's, whose keys belong to its kind."""
    merged = dict(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict) and name != "regularizer":
            merged[name] = _merged(base[name], value)
        else:
            merged[name] = value
    return merged


def _recipe(values: dict[str, Any], file: str) -> Recipe:
    sections: dict[str, type] = {"terms": Terms, "optimization": Optimization}
    given = {
        name: _section(sections[name], value, f"{file}: {name}") if name in sections else value
        for name, value in values.items()
    }
    recipe = _section(Recipe, given, file)
    if not NAME_PATTERN.fullmatch(recipe.name):
        raise TrainingError(f"{file}: name holds letters, digits, '.', '_' and '-' only, not {recipe.name!r}")
    for key in CODE_KEYS:
        if (value := getattr(recipe, key)) and ":" not in value:
            raise TrainingError(f"{file}: {key} is written module:name, not {value!r}")
    for name in AT_LEAST_ONE:
        if getattr(recipe.optimization, name) < 1:
            raise TrainingError(f"{file}: optimization: {name} must be at least 1")
    if recipe.grow and not recipe.init:
        raise TrainingError(f"{file}: grow needs init, the recipe whose model grows")
    return recipe


def _section(kind: type[Section], values: Any, where: str) -> Section:
    """A dataclass from a table: known keys of the right type, nothing missing."""
    if not isinstance(values, dict):
        raise TrainingError(f"{where} must be a table, not {values!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    if unknown := sorted(set(values) - set(fields)):
        raise TrainingError(f"{where}: {unknown[0]} is no key; there are: {', '.join(fields)}")
    needed = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := sorted(set(needed) - set(values)):
        raise TrainingError(f"{where}: {missing[0]} is missing")
    return kind(**{name: _typed(value, hints[name], f"{where}: {name}") for name, value in values.items()})


def _typed(value: Any, hint: Any, where: str) -> Any:
    if choices := [choice for choice in get_args(hint) if isinstance(choice, str)]:
        if value not in choices:
            raise TrainingError(f"{where} must be one of {', '.join(choices)}, not {value!r}")
        return value
    if hint == tuple[float, float]:
        if not (isinstance(value, list) and len(value) == 2 and all(type(number) in (int, float) for number in value)):
            raise TrainingError(f"{where} must be a list of two numbers, not {value!r}")
        return tuple(map(float, value))
    if get_origin(hint) is Mapping and not isinstance(value, dict):
        raise TrainingError(f"{where} must be a table, not {value!r}")
    if hint is float and type(value) is int:
        value = float(value)
    if hint in (int, float) and not (type(value) is hint and value >= 0):
        raise TrainingError(f"{where} must be a {'whole ' if hint is int else ''}number from 0, not {value!r}")
    if hint is bool and not isinstance(value, bool):
        raise TrainingError(f"{where} must be true or false, not {value!r}")
    if hint is str and not isinstance(value, str):
        raise TrainingError(f"{where} must be a string, not {value!r}")
    return value
