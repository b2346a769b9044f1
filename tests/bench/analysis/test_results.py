"""Names of cells that were read together, and whose figures rows of the table hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_cells import made_cell, rated_cell
from recorded_cells import under_protocol, write_record
from run_folders import CELL, write_run
from toklab.bench.analysis.opening import open_results
from toklab.bench.analysis.places import places_of
from toklab.bench.analysis.results import RunResults, name_protocols, name_versions, read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.analysis.run_report import write_run_report
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import Ledger
from toklab.datasets.protocol import load_protocol
from toklab.reports.schema import read_figures
from toklab.reports.tables.table import build_table


def test_cells_that_differ_in_their_weights_alone_keep_their_own_figures(tmp_path: Path) -> None:
    old, new = replace(CELL, weights=f"sha256:{'a' * 64}"), replace(CELL, cell_id="c9", weights=f"sha256:{'b' * 64}")
    with Ledger(write_run(tmp_path / "run"), write=True) as ledger:
        ledger.record(old, new)
        table = results_table(read_results(ledger))
    labels = set(table["label"])
    assert {"t (seed=1), sha256:aaaaaaaaaaaa", "t (seed=1), sha256:bbbbbbbbbbbb", "other (id=c2)"} <= labels
    assert "t (seed=1)" not in labels


def test_cells_of_equal_weights_are_told_apart_by_their_identity(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    other = replace(one, cell=replace(one.cell, cell_id="0123456789ab"))
    assert [result.label for result in name_versions([one, other])] == [
        "t (seed=1), cell c1",
        "t (seed=1), cell 01234567",
    ]


def test_other_weights_on_another_dataset_are_another_model(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    two_files = "+".join("bc"[file] * 64 for file in range(2))
    cells = {
        "one": replace(one.cell, cell_id="one", weights=f"sha256:{'a' * 64}"),
        "elsewhere": replace(one.cell, cell_id="elsewhere", dataset="another", weights=f"sha256:{two_files}"),
    }
    assert [result.label for result in name_versions([replace(one, cell=cell) for cell in cells.values()])] == [
        "t (seed=1), sha256:aaaaaaaaaaaa",
        "t (seed=1), sha256:bbbbbbbbbbbb+cccccccccccc",
    ]


def test_a_failed_cell_takes_no_name_from_a_measured_one(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    failed = replace(one, cell=replace(one.cell, cell_id="c9", status="failed"))
    assert [result.label for result in name_versions([one, failed])] == ["t (seed=1)", "t (seed=1)"]


def test_a_figure_of_the_model_comes_from_a_cell_that_has_it() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("macs",))
    failed = replace(cell, cell=replace(cell.cell, status="failed", reason="no videos"), dataset="empty")
    counted = replace(cell, cell=replace(cell.cell, facts={"macs_total": 2e12}))
    (row,) = results_table([failed, counted]).to_dict("records")
    assert (row["dataset"], row["value"]) == ("", 2.0)
    larger = replace(counted, cell=replace(counted.cell, protocol_hash="larger", facts={"macs_total": 8e12}))
    rows = results_table([failed, counted, larger]).to_dict("records")
    assert [(row["dataset"], row["protocol_hash"], row["value"]) for row in rows] == [
        ("", "", 2.0),
        ("videos", "larger", 8.0),
    ]


def test_places_have_files_of_their_own() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1})
    names = ("my clips", "my-clips", "my clips 2", "クリップ")
    suffixes = [place.suffix for place in places_of([replace(cell, dataset=name) for name in names])]
    assert suffixes == ["-my-clips", "-my-clips-2", "-my-clips-2-2", ""]


def test_a_figure_is_computed_once() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1})
    assert cell.evaluate(find_metric("psnr")) is cell.evaluate(find_metric("psnr"))


@pytest.mark.slow
@pytest.mark.parametrize("shipped_first", [True, False])
def test_two_names_of_one_protocol_are_one_column(tmp_path: Path, *, shipped_first: bool) -> None:
    shipped, changed = load_protocol("vidtok-half-rate"), load_protocol("vidtok").derive(subsampling=2)
    protocols = (shipped, changed) if shipped_first else (changed, shipped)
    cells = [
        under_protocol(rated_cell(label, *rates, system=label), protocol)
        for label, protocol, rates in zip("AB", protocols, rate_pairs(), strict=True)
    ]
    paths = [write_record(RunResults(c.label, (c,), ()), tmp_path / c.label) for c in cells]
    run = open_results(paths)
    figures = read_figures(results_table(run.results))
    assert {(figure.protocol, figure.protocol_hash) for figure in figures} == {(shipped.name, shipped.hash)}
    assert len({column.group for column in build_table(figures).columns}) == 1
    psnr = {figure.label: figure.rank for figure in figures if figure.metric == "psnr"}
    assert sorted(psnr.values()) == ["best", "second"]
    # The rate–distortion chart takes points of one protocol alone.
    written = write_run_report(run, tmp_path / "report", ["csv", "json"])
    again = write_run_report(open_results([tmp_path / "report" / "record.json"]), tmp_path / "again", ["csv"])
    texts = {path.name: path.read_bytes() for path in written}
    assert all(texts[path.name] == path.read_bytes() for path in again if path.name.startswith("table"))


def test_protocols_that_were_changed_alike_have_the_first_name() -> None:
    one, other = (made_cell(label, {("a.mp4", 0): 0.1}) for label in "ab")
    name = one.cell.protocol["name"]
    protocols = [{**cell.cell.protocol, "name": f"{name}[{way}]"} for cell, way in ((one, "x=1"), (other, "y=1"))]
    named = name_protocols(
        [replace(r, cell=replace(r.cell, protocol=p)) for r, p in zip((one, other), protocols, strict=True)]
    )
    assert [result.cell.protocol["name"] for result in named] == [f"{name}[x=1]"] * 2


def rate_pairs() -> list[tuple[dict[tuple[str, int], float], dict[tuple[str, int], float]]]:
    """Errors and bits of two systems on twelve videos; the first is better."""
    places = [(f"v{number}.mp4", 0) for number in range(12)]
    return [
        ({place: level * (1 + 0.1 * number) for number, place in enumerate(places)}, dict.fromkeys(places, bits))
        for level, bits in ((0.001, 100.0), (0.004, 90.0))
    ]
