"""Hostile names and titles through whole commands, in a locale that knows ASCII alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from run_folders import CELL, ROW
from toklab.bench import open_run
from toklab.bench.cli.main import app
from toklab.bench.cli.output import FALLBACK, fit_streams
from toklab.bench.ledger.ledger import Ledger
from toklab.reports.text import UNPRINTABLE
from typer.testing import CliRunner

ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
UTF8 = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
NAMES = (b"caf\xe9.mp4", b"new\nline.mp4", b"\x1b[31mred.mp4", "é\u202e👨\u200d👩.mp4".encode())
KEYS = {r"caf\udce9.mp4", r"new\x0aline.mp4", r"\x1b[31mred.mp4", "é\\u202e👨\u200d👩.mp4"}
TITLE = r'title = "[ours] [/b] =1+1 \u001b[2J\u202e × é"'
SHIPPED = Path(__file__).parents[2] / "tokenizers" / "cards" / "bicubic-4chn.toml"


def write_card(folder: Path) -> None:
    """A card of a resizer with a hostile title."""
    kept = [line for line in SHIPPED.read_text(encoding="utf-8").splitlines() if not line.startswith(("name", "title"))]
    folder.mkdir(exist_ok=True)
    (folder / "hostile.toml").write_text("\n".join(['name = "hostile"', TITLE, *kept]), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, make_video: Callable[..., Path]) -> Path:
    video, clips = make_video(tmp_path / "plain.mp4"), tmp_path / os.fsdecode(b"clips \xff\n[b]")
    clips.mkdir()
    for name in NAMES:
        shutil.copy(video, clips / os.fsdecode(name))
    os.mkfifo(clips / "pipe.mp4")
    return clips


def command(arguments: list[str], cwd: Path, locale: dict[str, str]) -> tuple[int, bytes]:
    program = [Path(sys.executable).with_name("toklab"), *arguments]
    done = subprocess.run(program, cwd=cwd, capture_output=True, env={**os.environ, **locale})
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    assert b"\x1b" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.thorough
def test_a_run_and_its_report_survive_hostile_names_in_an_ascii_locale(folder: Path, tmp_path: Path) -> None:
    write_card(tmp_path / "cards")
    small = ["--set-protocol", "height=32", "--set-protocol", "width=32", "-m", "psnr", "--keep-recon", "none"]
    run = ["run", "-t", "hostile", "--cards", "cards", "-d", f"folder:{folder}", *small, "--device", "cpu", "-o", "run"]
    code, output = command(run, tmp_path, ASCII)
    assert code == 1, output  # the pipe can't be read
    assert output.isascii()
    assert b"[ours] [/b] =1+1" in output
    frame = open_run(tmp_path / "run").windows()
    assert set(frame["source"]) >= KEYS
    assert "is not a regular file" in " ".join(open_run(tmp_path / "run").failures()["reason"])
    # The identity of what was measured doesn't depend on the locale: nothing is computed twice.
    code, output = command(run, tmp_path, UTF8)
    assert b"9 windows of 5 videos, 9 there already" in output, output
    code, output = command(["report", "run"], tmp_path, ASCII)
    assert code == 0, output
    for path in (tmp_path / "run" / "report").glob("*.[mct][dse]*"):
        assert not UNPRINTABLE.search(path.read_text(encoding="utf-8")), path
    assert command(["verify", "run"], tmp_path, ASCII)[0] == 0
    code, output = command(["data", "list", str(folder)], tmp_path, ASCII)
    assert code == 0
    assert rb"caf\udce9.mp4" in output
    assert command(["list", "tokenizers", "--cards", "cards"], tmp_path, ASCII)[0] == 0


def test_the_ledger_takes_reasons_that_no_encoding_can_write(tmp_path: Path) -> None:
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.record(CELL, replace(ROW, status="failed", reason="caf\udce9"))
        ledger.compact(CELL.cell_id)
    with Ledger(tmp_path / "run") as ledger:
        assert [row.reason for row in ledger.rows(CELL.cell_id)] == [r"caf\udce9"]


def test_text_with_markup_is_listed_as_it_is(tmp_path: Path) -> None:
    write_card(tmp_path)
    card = tmp_path / "hostile.toml"
    card.write_text(card.read_text(encoding="utf-8").replace('"baseline"', TITLE.removeprefix("title = ")), "utf-8")
    output = CliRunner().invoke(app, ["list", "--cards", str(tmp_path)]).output
    assert r"[ours] [/b] =1+1 \x1b[2J\u202e × é" in output
    assert not UNPRINTABLE.search(output)
    listed = CliRunner().invoke(app, ["list", "--cards", str(tmp_path), "--json"]).output
    assert listed.isascii()
    assert not UNPRINTABLE.search(listed)
    (found,) = (record for record in json.loads(listed)["tokenizers"] if record["name"] == "hostile")
    assert found["system"] == found["family"] == "[ours] [/b] =1+1 \x1b[2J\u202e × é"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4×8 → é…", b"4x8 -> e..."),
        ("\U0001f468", rb"\U0001f468"),
        # Never 3.1012.
        ("3·10¹² of 10⁻⁸", b"3*10^12 of 10^-8"),
    ],
)
def test_what_an_encoding_lacks_is_written_otherwise(text: str, shown: bytes) -> None:
    fit_streams()
    assert text.encode("ascii", FALLBACK) == shown
