"""Slurm scripts: run by bash, as Slurm would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.bench.cli.main import app
from toklab.bench.cli.shards import TEMPLATE
from toklab.bench.ledger.ledger import Ledger
from typer.testing import CliRunner

SUITE = """
name = "small"
datasets = ["folder:{folder}"]
protocol_changes = {{ height = 32, width = 32 }}
tokenizers = ["bicubic-4chn"]
metrics = ["psnr"]
"""
SHIPPED = Path(__file__).parents[3] / "tokenizers" / "cards"
SBATCH = """#!/bin/bash
# Takes what sbatch takes, and does what Slurm would: every job of an array, one after the other.
echo "$@" >> "$CALLS"
[ "$1" = --parsable ] && { echo "7;cluster"; last=$(sed -n 's/.*--array=1-\\([0-9]*\\).*/\\1/p' "$2")
  for number in $(seq "$last"); do SLURM_ARRAY_TASK_ID=$number bash "$2" >&2; done; exit 0; }
bash "$2"
"""


@pytest.fixture
def suite(tmp_path: Path, video_folder: Path) -> Path:
    """A suite on three videos, in a folder whose name needs quotes."""
    path = tmp_path / "my suites" / "small.toml"
    path.parent.mkdir()
    path.write_text(SUITE.format(folder=video_folder))
    return path


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["submit", *map(str, arguments)])
    return result.exit_code, f"{result.output}{result.exception or ''}"


@pytest.fixture
def video_folder(tmp_path: Path, make_video: Callable[[Path, int], Path]) -> Path:
    folder = tmp_path / "videos"
    for name in ("a.mp4", "b.mp4"):
        make_video(folder / name, 17)
    return folder


@pytest.mark.slow
def test_the_jobs_run_the_shards_and_merge_them(tmp_path: Path, suite: Path) -> None:
    template = tmp_path / "gpu.sh"
    template.write_text("#!/bin/bash\n@DIRECTIVES@\n#SBATCH --gpus=1\nset -eu\n@COMMAND@\n")
    out = tmp_path / "a job"
    code, said = invoke(suite, "--shards", 2, "--slurm-template", template, "--out", out, "--", "--threads", "1")
    assert (code, "submit.sh" in said) == (0, True)
    assert "#SBATCH --gpus=1" in (out / "array.sh").read_text()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(SBATCH)
    sbatch.chmod(0o755)
    scripts = Path(sys.executable).parent
    environment = {"PATH": f"{sbatch.parent}:{scripts}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
    subprocess.run(["bash", out / "submit.sh"], check=True, env=os.environ | environment, capture_output=True)
    assert "--dependency=afterany:7 " in (tmp_path / "calls").read_text()
    with Ledger(out / "whole") as ledger:
        (cell,) = ledger.cells()
        assert {row.source for row in ledger.rows(cell.cell_id)} == {"a.mp4", "b.mp4"}
    with Ledger(out / "shard-1") as ledger:
        assert {row.source for row in ledger.rows(ledger.cells()[0].cell_id)} == {"a.mp4"}
    # Submitting again, as after a job that was ended, merges again.
    (out / "whole" / "of the first merge").touch()
    subprocess.run(["bash", out / "merge.sh"], check=True, env=os.environ | environment, capture_output=True)
    assert not (out / "whole" / "of the first merge").exists()
    with Ledger(out / "whole") as ledger:
        assert len(list(ledger.rows(ledger.cells()[0].cell_id))) == 2


def test_the_help_says_what_the_default_template_asks_for() -> None:
    said = " ".join(invoke("--help")[1].replace("│", " ").split())
    assert "asks for 24 hours and 8 cores, and no GPU" in said
    assert "--time=24:00:00" in TEMPLATE
    assert "--cpus-per-task=8" in TEMPLATE
    assert not re.search("^#SBATCH.*gpu", TEMPLATE, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shard", "1/2"), "the jobs set --shard themselves: leave it out"),
        (("-oelsewhere",), "the jobs set --out themselves: leave it out"),
        (("--tokenizer", "bicubic-4ch"), "did you mean bicubic-4chn"),
        (("--bacth-size", "2"), "--bacth-size"),
    ],
)
def test_options_of_the_runs_are_checked_before_anything_is_written(
    tmp_path: Path, suite: Path, options: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "jobs"
    assert message in invoke(suite, "--shards", 2, "--out", out, "--", *options)[1]
    assert not out.exists()


def test_so_are_the_suite_and_the_templates(tmp_path: Path, suite: Path) -> None:
    out, template = tmp_path / "jobs", tmp_path / "template.sh"
    assert "there is no suite" in invoke("dmeo", "--shards", 2, "--out", out)[1]
    given = (suite, "--shards", 2, "--out", out, "--merge-template", template)
    assert f"--merge-template {template}: there is no such file" in invoke(*given)[1]
    template.write_text("@COMMAND@ @COMAND@")
    expected = f"--merge-template {template}: a Slurm template names @DIRECTIVES@ and @COMMAND@, each once"
    assert f"{expected}; this one names @COMMAND@, @COMAND@" in invoke(*given)[1]
    template.write_bytes(b"\xff")
    assert f"--merge-template {template}: this isn't text in UTF-8" in invoke(*given)[1]
    assert not out.exists()


def test_a_suite_may_name_cards_of_ones_own(tmp_path: Path, suite: Path) -> None:
    card = (SHIPPED / "bicubic-4chn.toml").read_text().replace('name = "bicubic-4chn"', 'name = "mine"')
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mine.toml").write_text(card)
    suite.write_text(suite.read_text().replace("bicubic-4chn", "mine"))
    given = (suite, "--shards", 2, "--out", tmp_path / "jobs")
    assert "mine" in invoke(*given)[1]
    assert not (tmp_path / "jobs").exists()
    code, said = invoke(*given, "--", "--cards", tmp_path / "cards")
    assert code == 0, said
    assert f"--cards {tmp_path / 'cards'}" in (tmp_path / "jobs" / "array.sh").read_text()
