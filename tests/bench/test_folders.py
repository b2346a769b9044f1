"""Two folders are two datasets, one folder is one, and a name of one's own outlives the place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toklab.bench import evaluate, open_run
from toklab.bench import run_suite as run_named_suite
from toklab.bench.ledger.ledger import LedgerError
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.planning.datasets import plan_datasets
from toklab.bench.planning.suite import Suite
from toklab.datasets.protocol import load_protocol
from torch import Tensor

MakeVideo = Callable[[Path, int], Path]


class Whole:
    """A model that returns what it is given."""

    def encode(self, video: Tensor) -> Tensor:
        return video

    def decode(self, latents: Tensor) -> Tensor:
        return latents * 0.9


SPEC: dict[str, Any] = {"causal": True, "temporal_compression": 1, "spatial_compression": 1, "latent_channels": 3}


@pytest.fixture
def folders(tmp_path: Path, make_video: MakeVideo) -> tuple[Path, Path]:
    """Two folders whose videos have one name and different content."""
    one, other = tmp_path / "one" / "clips", tmp_path / "other" / "clips"
    make_video(one / "a.mp4", 17)
    make_video(other / "a.mp4", 20)
    return one, other


def run(out: Path, *datasets: str, limit: int | None = None) -> None:
    suite = Suite.model_validate(
        {
            "name": "two",
            "datasets": datasets,
            "tokenizers": ["bicubic-4chn"],
            "metrics": ["psnr"],
            "protocol_changes": {"height": 32, "width": 32},
        }
    )
    run_named_suite(suite, out=out, limit=limit, progress=False)


def figures(folder: Path) -> dict[str, tuple[float, int]]:
    return {line["dataset"]: (line["value"], line["n"]) for line in open_run(folder).table().to_dict("records")}


@pytest.mark.slow
def test_two_folders_are_two_datasets(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    run(tmp_path / "together", *(f"folder:{folder}" for folder in folders))
    for folder in folders:
        run(tmp_path / "in-turn", f"folder:{folder}")
    found = figures(tmp_path / "together")
    assert found == figures(tmp_path / "in-turn")
    assert {name: n for name, (_, n) in found.items()} == {"one/clips": 17, "other/clips": 34}
    assert found["one/clips"][0] != found["other/clips"][0]
    files = open_run(tmp_path / "together").report("md")
    assert all(f"{name}<br>" in files[[f.name for f in files].index("table.md")].read_text() for name in found)
    assert set(open_run(tmp_path / "together").windows()["dataset"]) == set(found)
    assert set(open_run(tmp_path / "together").accounting()["dataset"]) == set(found)


@pytest.mark.slow
def test_a_folder_named_like_an_official_dataset_has_no_published_figures(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    make_video(tmp_path / "mcl-jcv" / "a.mp4", 17)
    run(tmp_path / "run", f"folder:{tmp_path / 'mcl-jcv'}")
    found = open_run(tmp_path / "run")
    assert list(figures(tmp_path / "run")) == [f"{tmp_path.name}/mcl-jcv"]
    assert "published" not in next(f for f in found.report("md", published=True) if f.name == "table.md").read_text()


@pytest.mark.slow
def test_a_given_name_survives_a_move(tmp_path: Path, folders: tuple[Path, Path], make_video: MakeVideo) -> None:
    run(tmp_path / "run", f"mine=folder:{folders[0]}")
    moved = shutil.move(folders[0], tmp_path / "moved")
    make_video(tmp_path / "moved" / "b.mp4", 19)
    run(tmp_path / "run", f"mine=folder:{moved}")
    (result,) = open_run(tmp_path / "run").results
    assert result.dataset == "mine"
    assert [(row.source, row.run_id == result.rows[0].run_id) for row in result.rows] == [
        ("a.mp4", True),
        ("b.mp4", False),
        ("b.mp4", False),
    ]


@pytest.mark.slow
def test_evaluate_knows_folders_by_their_place_or_name(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    small = load_protocol("vidtok").derive(height=32, width=32)
    for videos in (folders[0], str(folders[1]), [folders[0] / "a.mp4"], f"mine=folder:{folders[1]}"):
        evaluate(Whole(), videos, metrics=["psnr"], protocol=small, out=tmp_path / "run", progress=False, **SPEC)
    found = open_run(tmp_path / "run")
    assert [result.cell.dataset for result in found.results] == [
        f"folder:{folders[0].resolve()}",
        f"folder:{folders[1].resolve()}",
        f"files:{folders[0].resolve()}",
        "mine",
    ]
    assert len(set(found.table()["dataset"])) == 4


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("mine=folder:/a", "mine=folder:/b"), "two datasets are called mine"),
        (("mcl-jcv:/a", "mcl-jcv:/b"), "two datasets are called mcl-jcv"),
        (("mcl-jcv=folder:/a",), "name of another dataset"),
        (("MCL-JCV=folder:/a",), "name of another dataset"),
        (("foldr:/a",), "did you mean folder"),
    ],
)
def test_one_name_is_one_dataset(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_datasets(texts)


def test_the_kind_as_a_name_goes_on_with_ledgers_of_before() -> None:
    (dataset,) = plan_datasets(["folder=folder:/a", "folder=folder:/a/"])
    assert dataset.identity == "folder"


@pytest.mark.slow
def test_unnamed_folders_at_two_places_are_not_merged(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    for number, folder in enumerate(folders):
        run(tmp_path / f"unnamed{number}", f"folder:{folder}")
        run(tmp_path / f"named{number}", f"own{number}=folder:{folder}")
    with pytest.raises(LedgerError, match="NAME=folder:PATH"):
        merge_runs([tmp_path / "unnamed0", tmp_path / "unnamed1"], tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    merge_runs([tmp_path / "named0", tmp_path / "named1"], tmp_path / "merged")
    assert set(figures(tmp_path / "merged")) == {"own0", "own1"}
