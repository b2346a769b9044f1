"""Tables in the shapes of Tables 2 to 5, where there is something to put in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toklab.reports.identity import identify
from toklab.reports.paper.content import PaperTable
from toklab.reports.paper.facts import RunFacts, SystemFacts, TrainingFacts
from toklab.reports.paper.summaries import summary_tables
from toklab.reports.schema import Figure

Build = Callable[..., Figure]


def _facts(
    label: str, *, causal: bool = True, params: float = 1.5, frames: int = 17, training: TrainingFacts | None = None
) -> SystemFacts:
    return SystemFacts(label, "", causal, 4, 8, 6, None, (frames, 128, 128), params, 0.00974, training=training)


def _tables(figures: Sequence[Figure], *systems: SystemFacts) -> dict[str, PaperTable]:
    found = summary_tables(figures, RunFacts(systems), identify(figures))
    return {table.name: table for table in found}


def _rows(table: PaperTable) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row) for section in table.sections for row in section.rows]


def test_variants_of_a_family_that_share_a_regularizer_are_an_ablation(figure: Build) -> None:
    figures = [
        figure(tokenizer=name, system=f"VidTok ({name})", value=value)
        for name, value in (("full", 30.0), ("no 3D", 29.0))
    ]
    table = _tables(figures, _facts("full"), _facts("no 3D", params=12.26))["architectures"]
    assert [column.heading for column in table.columns] == ["Method", "Params (M)", "MACs (G)", "PSNR ↑"]
    assert _rows(table) == [("VidTok (full)", "1.50", "9.74", "30.00"), ("VidTok (no 3D)", "12.3", "9.74", "29.00")]
    others = [figure(tokenizer=name, system=name, value=30.0) for name in ("VidTok", "Cosmos")]
    assert "architectures" not in _tables(others, _facts("VidTok"))


def test_small_sizes_keep_three_digits(figure: Build) -> None:
    figures = [figure(tokenizer=name, system=name, value=20.0) for name in ("a", "b")]
    table = _tables(figures, _facts("a", params=0.00412), _facts("b", params=157.4))["models"]
    place = [column.heading for column in table.columns].index("Params (M)")
    assert [row[place] for row in _rows(table)] == ["0.00412", "157"]


def test_discrete_regularizers_of_one_system_are_compared(figure: Build) -> None:
    figures = [
        figure(tokenizer=kind, system="S", regularizer=kind, group="discrete", value=20.0)
        for kind in ("FSQ - 8", "VQ - 8")
    ]
    assert _rows(_tables(figures)["regularizers"]) == [("FSQ - 8", "20.00"), ("VQ - 8", "20.00")]
    continuous = [figure(tokenizer=kind, system="S", regularizer=kind, value=20.0) for kind in ("KL", "AE")]
    assert "regularizers" not in _tables(continuous)


def test_training_is_told_of_what_toklab_trained(figure: Build) -> None:
    figures = [figure(tokenizer=name, system=name, value=20.0) for name in ("mine", "official")]
    made = TrainingFacts("r", "27 videos", 1200, 540.0, "CPU", "12 clips", 22.579)
    table = _tables(figures, _facts("mine", training=made), _facts("official"))["training"]
    assert _rows(table) == [("mine", "27 videos", "1,200", "9", "22.58", "20.00")]
    assert "training" not in _tables(figures, _facts("mine"))


def test_the_model_summary_has_shapes_and_says_once_what_is_the_same(figure: Build) -> None:
    names = ("a", "b", "c")
    figures = [figure(tokenizer=name, system=name, value=20.0) for name in names]
    table = _tables(figures, *map(_facts, names))["models"]
    assert [column.heading for column in table.columns] == ["System", "Params (M)", "MACs (G)", "PSNR ↑"]
    assert (
        str(table.caption[-1]) == " In every row: Causal yes; Input 17×128×128; Compression 4×8×8; Latent 5×16×16, 6."
    )
    mixed = _tables(figures, _facts("a"), _facts("b", causal=False, frames=16), _facts("c"))["models"]
    assert [column.heading for column in mixed.columns][:4] == ["System", "Causal", "Input", "Latent"]
    # A causal model keeps the first frame apart: 1 + 16/4 latent frames, and 16/4.
    assert [row[1:4] for row in _rows(mixed)][:2] == [
        ("yes", "17×128×128", "5×16×16, 6"),
        ("no", "16×128×128", "4×16×16, 6"),
    ]


def test_without_facts_or_figures_there_are_no_tables(figure: Build) -> None:
    assert _tables([figure(value=20.0)]) == {}
    assert _tables([], _facts("a")) == {}
