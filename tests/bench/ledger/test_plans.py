from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from run_folders import write_run
from toklab.bench.ledger.joining import joined_columns
from toklab.bench.ledger.ledger import LedgerError
from toklab.bench.ledger.plans import (
    Plan,
    clip_digest,
    plan_file,
    planned_cells,
    read_plan,
    write_plan,
)
from toklab.bench.ledger.records import Row
from toklab.bench.ledger.verification import verify_run

ROW = Row("c1", "a.mp4", 0, "ff", (0, 1), 30.0, "pyav", "scored", "", {}, "m", "r")
A, B = ("a.mp4", 0, clip_digest("ff", (0, 1))), ("b.mp4", 0, "0")


def plan(*windows: tuple[str, int, str], index: int = 0, count: int = 1, **limits: int) -> Plan:
    return Plan({index: frozenset(windows)}, count, limits)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    written = Plan({0: frozenset({A}), 2: frozenset({B})}, 3, {"limit": 4})
    write_plan(tmp_path, "c1", written)
    assert read_plan(tmp_path, "c1") == written
    assert [path.name for path in tmp_path.iterdir()] == ["plan-c1.json"]
    assert written.missing_shards == ("2/3",)


def test_the_file_of_a_plan_is_pinned(tmp_path: Path) -> None:
    """Run folders keep it, and other versions read it."""
    write_plan(tmp_path, "c1", Plan({1: frozenset({B, A}), 0: frozenset()}, 3, {"limit": 4}))
    assert plan_file(tmp_path, "c1").read_text() == (
        '{"format": 2, "shards": 3, "limits": {"limit": 4}, "parts": {"0": [], "1": [["a.mp4", 0, "ccc01fc71b03aed8"], '
        '["b.mp4", 0, "0"]]}, "digest": "c4d546b94eef05a4d48e93abfeb81eed"}'
    )
    assert planned_cells(tmp_path) == ["c1"]


def test_rows_of_other_windows_and_of_other_frames_are_outside() -> None:
    others = [replace(ROW, window=2, content_id="ee"), replace(ROW, window=3, frame_ids=(0, 2))]
    rows = [ROW, replace(ROW, window=1), replace(ROW, source="b.mp4"), *others]
    columns = joined_columns("c1", None, {}, rows, []).rows
    assert plan(A).names(columns).tolist() == [row == ROW for row in columns]
    assert plan(A, ("b.mp4", 0, A[2])).names(columns).sum() == 2
    assert not plan(("a.mp4", 2, A[2]), ("a.mp4", 3, A[2])).names(columns).any()


def test_the_next_run_replaces_the_plan_unless_it_is_another_shard_of_it() -> None:
    first = plan(A, index=0, count=2, limit=1)
    assert plan(B, index=1, count=2, limit=1).after(first).windows == {A, B}
    for other in (plan(B), plan(B, index=0, count=2, limit=1), plan(B, index=1, count=2), plan(B, index=1, count=3)):
        assert other.after(first).windows == {B}
    assert plan(B).after(None) == plan(B)


def test_joined_plans_name_what_either_names() -> None:
    whole = plan(A, index=0, count=2, limit=1).joined(plan(B, index=1, count=2, limit=1))
    assert (whole.windows, whole.missing_shards, whole.limits) == ({A, B}, (), {"limit": 1})
    assert plan(A, limit=1).joined(plan(B)) == plan(A, B)
    assert plan(A, index=1, count=2, limit=1).joined(plan(B)) == plan(A, B)
    assert plan(B).joined(plan(A, index=0, count=3)) == plan(A, B)
    with pytest.raises(LedgerError, match="shards of 2 and shards of 3"):
        plan(A, index=0, count=2).joined(plan(B, index=1, count=3))


def test_joined_plans_keep_the_limits_of_what_no_other_has_whole() -> None:
    first, second = plan(A, index=0, count=2, limit=1), plan(B, index=1, count=2, limit=2, limit_videos=3)
    assert first.joined(second).limits == second.joined(first).limits == {"limit": 2, "limit_videos": 3}
    assert first.joined(plan(B, index=1, count=2)).limits == {"limit": 1}
    assert plan(A, index=0, count=2).joined(first).limits == {}
    # A run of the whole dataset with a limit, and a shard of it without one.
    assert plan(A, limit=1).joined(plan(B, index=1, count=2)).limits == {"limit": 1}
    assert plan(A, limit=1).joined(plan(A, index=0, count=2).joined(plan(B, index=1, count=2))).limits == {}


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "shards": 1, "limits": {}, "parts": {"0": [1]}}'])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    plan_file(tmp_path, "c1").write_text(text)
    with pytest.raises(LedgerError, match=r"plan-c1\.json is damaged"):
        read_plan(tmp_path, "c1")


def test_a_plan_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    write_plan(tmp_path, "c1", plan(A))
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(LedgerError, match=r"plan-c1\.json can't be read .*Permission denied"):
        read_plan(tmp_path, "c1")


@pytest.mark.slow
def test_no_flipped_bit_changes_a_plan_silently(tmp_path: Path) -> None:
    written = Plan({0: frozenset({A}), 2: frozenset({B})}, 3, {"limit": 4})
    write_plan(tmp_path, "c1", written)
    path = plan_file(tmp_path, "c1")
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with suppress(LedgerError):
            assert read_plan(tmp_path, "c1") == written, bit


def test_a_plan_of_a_later_format_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    plan_file(tmp_path, "c1").write_text('{"format": 3, "shards": 1, "limits": {}, "parts": {}, "digest": ""}')
    with pytest.raises(LedgerError, match=r"plan-c1\.json was written with plan format 3, this is 2"):
        read_plan(tmp_path, "c1")


def test_a_plan_of_the_first_format_is_read(tmp_path: Path) -> None:
    plan_file(tmp_path, "c1").write_text(
        '{"format": 1, "shards": 1, "limits": {}, "parts": {"0": [["a.mp4", 0, "x"]]}}'
    )
    assert read_plan(tmp_path, "c1") == Plan({0: frozenset({("a.mp4", 0, "x")})})


def test_verify_names_a_damaged_plan(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write_plan(run, "c1", plan(A))
    assert all(finding.is_sound for finding in verify_run(run))
    path = plan_file(run, "c1")
    path.write_text(path.read_text().replace('"shards": 1', '"shards": 2'))
    (damaged,) = [finding for finding in verify_run(run) if not finding.is_sound]
    assert damaged.subject == str(path)
