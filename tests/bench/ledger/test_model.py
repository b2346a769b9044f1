"""The ledger does what two dictionaries do, whatever is done to it in whatever order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import CELL, measured_row, other_cell, read_all
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import Measurement, Row

CELLS = ("c1", "c2")
KEYS = st.tuples(st.sampled_from(CELLS), st.integers(0, 4))
STEPS = st.one_of(
    st.tuples(st.just("record"), KEYS, st.floats(0, 1)),
    st.tuples(st.just("measure"), KEYS, st.floats(0, 1)),
    st.tuples(st.just("compact"), st.sampled_from(CELLS)),
    st.tuples(st.just("forget rows"), st.sampled_from(CELLS), st.sets(st.integers(0, 4))),
    st.tuples(st.just("forget cell"), st.sampled_from(CELLS)),
    st.tuples(st.just("open again")),
)


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=15))
def test_any_sequence_of_changes(steps: list[tuple]) -> None:
    cells = {"c1": CELL, "c2": other_cell("c2")}
    rows: dict[tuple[str, int], Row] = {}
    measurements: dict[tuple[str, int], dict[str, Measurement]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), write=True)
        ledger.record(*cells.values())
        present = dict(cells)
        for name, *arguments in steps:
            if name == "open again":
                ledger.close()
                ledger = Ledger(Path(folder), write=True)
                continue
            match name, *arguments:
                case "record", (cell_id, window), value:
                    row, *measured = measured_row(cell_id, window, value)
                    if cell_id not in present:
                        present[cell_id] = cells[cell_id]
                        ledger.record(cells[cell_id])
                    ledger.record(row, *measured)
                    rows[cell_id, window] = row
                    measurements.setdefault((cell_id, window), {}).update({m.measurement_key: m for m in measured})
                case "measure", key, value if key in rows:
                    again = measured_row(key[0], key[1], value)[1]
                    ledger.record(again)
                    measurements[key][again.measurement_key] = again
                case "compact", cell_id:
                    ledger.compact(cell_id)
                case "forget rows", cell_id, windows:
                    ledger.forget_rows(cell_id, [("a.mp4", window) for window in windows])
                    for window in windows:
                        rows.pop((cell_id, window), None)
                        measurements.pop((cell_id, window), None)
                case "forget cell", cell_id:
                    ledger.forget_cell(cell_id)
                    present.pop(cell_id, None)
                    for key in [key for key in rows if key[0] == cell_id]:
                        del rows[key], measurements[key]
        ledger.close()
        with Ledger(Path(folder)) as reader:
            found = read_all(reader)
    assert found["cells"] == list(present.values())
    for cell_id in present:
        expected = sorted(window for cell, window in rows if cell == cell_id)
        assert found["rows"][cell_id] == [rows[cell_id, window] for window in expected]
        assert found["measurements"][cell_id] == {
            ("a.mp4", window): measurements[cell_id, window] for window in expected
        }
