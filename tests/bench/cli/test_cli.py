from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import av
import pytest
from commands import command_names, toklab
from toklab.bench.cli.main import main
from toklab.bench.cli.suite_options import choose_suite
from toklab.bench.planning.suite import load_suite


@pytest.fixture
def run_folder(tmp_path: Path, run_suite: Callable) -> Path:
    """A finished run of two fake tokenizers."""
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr", "ssim", "bpp", "lpips-vgg", "throughput-decode"))
    return tmp_path / "run"


def test_the_version_is_that_of_the_package() -> None:
    assert toklab("--version") == (0, f"toklab {version('toklab')}\n")


@pytest.mark.parametrize("command", command_names())
def test_every_command_has_help_with_an_example(command: str) -> None:
    code, output = toklab(*command.split(), "--help")
    assert code == 0
    assert "Example" in output


@pytest.mark.slow
def test_the_installed_command_prints_errors_in_one_line_and_exits_with_2() -> None:
    command = Path(sys.executable).with_name("toklab")
    result = subprocess.run([command, "run", "demoo"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "did you mean demo" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "demo", "-t", "bicubic-4ch"), "bicubic-4chn"),
        (("run", "demo", "-m", "pnsr"), "psnr"),
        (("run", "demo", "-p", "vidtk"), "vidtok"),
        (("run", "demo", "--set", "steps"), "name=value"),
        (("run", "demo", "--set", "colour=red"), "colour"),
        (("run", "demo", "--set", "posterior=median"), "posterior"),
        (("run", "demo", "--keep-recon", "some"), "keep-recon"),
        (("run", "demo", "--shard", "3/2"), "shard"),
        (("run",), "name a suite"),
        (("report", "no-such-folder"), "not a run folder"),
        (("compare", "a"), "at least two"),
    ],
)
def test_mistakes_are_named(
    arguments: tuple[str, ...], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=named):
        toklab(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_plan_shows_cells_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ("-t", "vidtok-small-kl-4chn", "-t", "vidtok-small-fsq-4096", "-t", "bicubic-4chn")
    code, output = toklab("plan", "demo", *chosen, "--set", "seed=0,1")
    assert code == 0
    # Only the tokenizer with a posterior uses the seed.
    assert "4 cells" in output
    assert "vidtok-small-kl-4chn (seed=1) on sample" in output
    assert "bicubic-4chn on sample" in output
    assert "bicubic-4chn (" not in output
    assert list(tmp_path.iterdir()) == []


def test_the_title_of_a_suite_heads_only_what_the_suite_says() -> None:
    """The demo's title names the built-in sample, which a run on other videos isn't about."""
    unchanged = choose_suite("demo", metrics=["psnr"])
    assert unchanged.title == load_suite("demo").title
    changed = choose_suite("demo", tokenizers=["bicubic-4chn"], datasets=["folder:clips"])
    assert changed.title == "Suite demo with other tokenizers, datasets"
    assert choose_suite("demo", protocol_changes=["height=64"]).title == "Suite demo with other protocol"


def test_plan_names_the_limits() -> None:
    _, output = toklab("plan", "demo", "-t", "bicubic-4chn", "--limit", "4", "--limit-videos", "2")
    assert "of each dataset: the first 2 videos; at most 4 windows, spread over the videos" in output


@pytest.mark.slow
def test_runs_without_a_suite_have_folders_of_their_own_and_name_them(
    fake_tokenizers: None, video_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("-d", f"folder:{video_folder}", "-m", "psnr", "--limit", "1", "--set-protocol", "height=32")
    outputs = [toklab("run", "-t", "average", "-t", name, *arguments)[1] for name in ("signs", "average")]
    stem = f"videos-{date.today().isoformat()}"
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == [f"{stem}-1", f"{stem}-2"]
    assert (tmp_path / "runs" / f"{stem}-1" / "suite.json").is_file()
    for number, output in enumerate(outputs, start=1):
        assert "PSNR" in output
        assert f"run folder: runs/{stem}-{number}" in output
        assert f"next: toklab report runs/{stem}-{number}" in output
    assert f"toklab compare average signs --run runs/{stem}-1" in outputs[0]
    assert "toklab compare" not in outputs[1]
    _, output = toklab("run", "-t", "average", *arguments, "--out", f"runs/{stem}-1")
    assert f"next: toklab report runs/{stem}-1" in output
    assert len(list((tmp_path / "runs").iterdir())) == 2
    _, output = toklab("merge", f"runs/{stem}-1", f"runs/{stem}-2", "--out", "runs/merged")
    assert "next: toklab report runs/merged" in output


@pytest.mark.slow
def test_report_writes_every_format(run_folder: Path) -> None:
    code, _ = toklab("report", run_folder)
    assert code == 0
    written = {path.name for path in (run_folder / "report").rglob("*")}
    assert {
        "table.md",
        "table.csv",
        "main.tex",
        "report.md",
        "report.pdf",
        "report.html",
        "radar.png",
        "radar.pdf",
    } <= written
    text = (run_folder / "report" / "report.md").read_text()
    assert "toklab weights pull lpips-vgg" in text
    assert "torch" in text


@pytest.mark.slow
def test_compare_on_shared_windows(run_folder: Path) -> None:
    code, output = toklab("compare", "average", "signs", "--run", run_folder)
    assert code == 0
    assert "PSNR" in output
    assert "…" not in output
    code, output = toklab("compare", "average", "signs", "--run", run_folder, "-m", "ssim", "-f", "csv")
    assert output.count("\n") == 3


@pytest.mark.slow
def test_compare_runs_with_themselves_gives_no_difference(run_folder: Path) -> None:
    _, output = toklab("compare", run_folder, run_folder, "-m", "psnr", "-f", "csv")
    header, *rows = output.strip().splitlines()
    position = header.split(",").index("difference")
    assert len(rows) == 2
    assert all(float(row.split(",")[position]) == 0 for row in rows)


@pytest.mark.parametrize("kind", ["tokenizers", "datasets", "metrics", "suites"])
def test_list(kind: str) -> None:
    expected = {
        "tokenizers": "vidtok_kl_causal_488_4chn",
        "datasets": "mcl-jcv",
        "metrics": "toklab weights pull lpips-vgg",
        "suites": "webvid-val",
    }
    code, output = toklab("list", kind)
    assert code == 0
    assert expected[kind] in output


def test_a_broken_metric_plugin_doesnt_break_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", "metrics.odd=no_such_module:Odd")
    code, output = toklab("list", "metrics")
    assert code == 0
    assert "psnr" in output
    assert "broken plugin odd" in output


@pytest.mark.slow
def test_complexity_as_csv_has_the_documented_columns() -> None:
    code, output = toklab("complexity", "vidtok_kl_causal_488_4chn", "--format", "csv")
    assert code == 0
    header, row = output.strip().splitlines()
    assert header.startswith("tokenizer,params_total,params_encoder,params_decoder,macs_total,")
    values = dict(zip(header.split(","), row.split(","), strict=True))
    assert values["params_total"] == "157451663"
    assert values["macs_total"] == "10345345187840"


def test_doctor_names_what_is_missing_and_the_hint() -> None:
    code, output = toklab("doctor")
    assert code == 0
    assert "[ok]      reader av" in output
    assert "toklab weights pull fvd-i3d" in output


@pytest.mark.slow
def test_data_list_and_check(video_folder: Path) -> None:
    (video_folder / "zero.mp4").write_bytes(b"")
    code, output = toklab("data", "list", video_folder)
    assert (code, "a.mp4" in output, "4 videos" in output) == (0, True, True)
    code, output = toklab("data", "check", video_folder, "--protocol", "cdt")
    assert code == 1
    assert "2 of 4 videos not ok: 1 no-window, 1 unreadable" in output
    (video_folder / "zero.mp4").unlink()
    code, output = toklab("data", "check", video_folder)
    assert (code, "3 videos, all ok" in output) == (0, True)


def test_weights_path_exits_with_1_and_the_hint() -> None:
    code, output = toklab("weights", "path", "lpips-vgg")
    assert code == 1
    assert "toklab weights pull lpips-vgg" in output


@pytest.mark.slow
def test_reconstruct_writes_a_side_by_side_video(fake_tokenizers: None, video_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "side.mp4"
    arguments = ("reconstruct", video_folder / "a.mp4", "-t", "average", "-t", "signs", "-o", out)
    code, output = toklab(*arguments, "--height", "64", "--width", "64")
    assert code == 0
    assert "average" in output
    with av.open(str(out)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 20
    # Panes of 64 pixels are magnified to 128, with 4 pixels between them.
    assert frames[0].width == 3 * 128 + 2 * 4
    with pytest.raises(ValueError, match="--overwrite"):
        toklab(*arguments)


def test_a_plugin_that_ends_the_program_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", "exits=hostile_plugins:ExitsInConstruction")
    monkeypatch.setattr(sys, "argv", ["toklab", "check-adapter", "exits"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == "toklab: SystemExit: 0"


def test_the_command_line_starts_without_heavy_packages() -> None:
    heavy = "{'torch', 'pandas', 'numpy', 'matplotlib', 'pyarrow'}"
    code = f"import sys, toklab.bench.cli.main; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
