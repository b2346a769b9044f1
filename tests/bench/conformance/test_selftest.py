from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toklab.bench.cli.main import app
from toklab.bench.conformance import selftest
from toklab.bench.conformance.selftest import GoldenError, find_goldens, run_selftest
from toklab.tokenizers.golden import UnsupportedGolden
from typer.testing import CliRunner


@pytest.mark.parametrize("passed", [True, False])
def test_a_metric_check_that_fails_fails_the_test(monkeypatch: pytest.MonkeyPatch, passed: bool) -> None:
    """That those of toklab pass is for test_metrics.py to show."""
    monkeypatch.setattr(selftest, "run_checks", lambda: iter([("psnr: ok", True), ("ssim: measured", passed)]))
    lines: list[str] = []
    assert run_selftest([], lines.append) == passed
    assert lines == ["psnr: ok", "ssim: measured"]


@pytest.fixture
def golden(shared: Path, tmp_path: Path) -> Path:
    """A copy of one golden that may be damaged."""
    return Path(shutil.copytree(shared / "goldens" / "vidtok" / "kl_causal_488", tmp_path / "tree" / "kl"))


@pytest.mark.slow
@pytest.mark.goldens
def test_a_golden_passes_and_says_how_well(golden: Path) -> None:
    lines: list[str] = []
    assert run_selftest([golden.parent], lines.append)
    assert any("io/recon" in line and "tolerance 1e-04, ok" in line for line in lines)
    assert any("io_image/z" in line for line in lines)
    assert any("io/z_sample" in line for line in lines)


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.parametrize("value", [0.01, float("nan")])
def test_a_deviation_beyond_the_tolerance_fails(golden: Path, value: float) -> None:
    stored = load_file(golden / "io.safetensors")
    stored["recon"][0, 0, 0, 0, 0] += value * max(1.0, stored["recon"].abs().max().item())
    save_file(stored, golden / "io.safetensors")
    lines: list[str] = []
    assert not run_selftest([golden], lines.append)
    assert any("io/recon" in line and "FAILED" in line for line in lines)


@pytest.mark.slow
@pytest.mark.goldens
def test_the_exit_code_tells(golden: Path) -> None:
    assert CliRunner().invoke(app, ["selftest", "--goldens", str(golden)]).exit_code == 0
    state = load_file(golden / "state.safetensors")
    state["decoder.conv_out.conv.bias"] += 0.5
    save_file(state, golden / "state.safetensors")
    assert CliRunner().invoke(app, ["selftest", "--goldens", str(golden)]).exit_code == 1


def test_an_unknown_family_is_said_to_be_not_supported(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"family": "no_such_family", "name": "tiny"}))
    save_file({"x": torch.zeros(1)}, folder / "io.safetensors")
    lines: list[str] = []
    assert not run_selftest([tmp_path], lines.append)
    assert lines == [
        "not supported: no_such_family/tiny",
        "0 compared, 0 failed, 1 not supported",
        "FAILED: nothing was compared, for toklab has none of these models",
    ]


@pytest.mark.parametrize("tolerance", [1.0, 0.1])
def test_where_others_were_compared_they_decide(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tolerance: float
) -> None:
    def compare(folder: Path) -> Iterator[selftest.Comparison]:
        if folder.name == "odd":
            raise UnsupportedGolden("odd")
        yield selftest.Comparison("even", "io/z", error=0.5, tolerance=tolerance, optional=False)

    for name in ("even", "odd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "io.safetensors").touch()
    monkeypatch.setattr(selftest, "compare_golden", compare)
    lines: list[str] = []
    assert run_selftest([tmp_path], lines.append) == (tolerance == 1.0)
    assert lines[-1].endswith("1 not supported")


@pytest.mark.parametrize("content", ["", "[1]"])
def test_a_damaged_config_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    save_file({"x": torch.zeros(1)}, tmp_path / "io.safetensors")
    with pytest.raises(GoldenError, match=r"config\.json"):
        run_selftest([tmp_path], print)


def test_a_folder_without_goldens_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="no golden data"):
        find_goldens([tmp_path])
    with pytest.raises(GoldenError, match="not a folder"):
        find_goldens([tmp_path / "absent"])


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.thorough
def test_every_golden_of_the_collection_holds_or_is_not_supported(shared: Path) -> None:
    lines: list[str] = []
    assert run_selftest([shared / "goldens"], lines.append), "\n".join(line for line in lines if "FAILED" in line)
