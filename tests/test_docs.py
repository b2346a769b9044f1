"""Every command and example in the README and docs runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toklab.datasets.video_writer import write_video
from toklab.tokenizers.card_file import read_card
from toklab.tokenizers.interface import VideoTokenizer

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
CONTINUOUS_INTEGRATION = (
    "python3 -m pip install tox && python3 -m tox",
    "python3 -m pip install tox && python3 -m tox run -e demo",
)
"""Commands that `.ci/run` takes from the README and runs."""


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    lines = [line for block in blocks(document, "sh") for line in block.splitlines() if line.strip()]
    return [line for line in lines if line not in CONTINUOUS_INTEGRATION and not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)], ids=lambda d: d.name)
def test_commands_run(document: Path, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:144, :176]
    frames = [np.stack([(columns + 3 * t) % 256, (rows + t) % 256, (rows + columns) % 256], -1) for t in range(20)]
    write_video(tmp_path / "clip.mp4", np.stack(frames).astype(np.uint8), 30.0, quality="view")
    for command in commands(document):
        program, *arguments = command.split()
        assert program == "toklab", f"{document.name}: {command} is no toklab command, so nothing tests it"
        result = subprocess.run(
            [Path(sys.executable).with_name("toklab"), *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert result.returncode == 0, f"{document.name}: {command}\n{result.stdout}\n{result.stderr}"


def test_the_readme_holds_what_continuous_integration_runs() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert all(command in lines for command in CONTINUOUS_INTEGRATION)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [t for t in targets if not t.startswith("http") and not (document.parent / t).exists()]
    assert not missing


def test_the_card_in_the_docs_is_a_card(tmp_path: Path) -> None:
    card_text = next(block for block in blocks(ROOT / "docs" / "extending.md", "toml") if "adapter" in block)
    path = tmp_path / "card.toml"
    path.write_text(card_text)
    from toklab.tokenizers.catalog import build_on_meta

    tokenizer = build_on_meta(read_card(path))
    assert sum(p.numel() for module in tokenizer.modules().values() for p in module.parameters()) == 157_451_663


def test_the_entry_point_in_the_docs_is_toml() -> None:
    text = next(block for block in blocks(ROOT / "docs" / "extending.md", "toml") if "entry-points" in block)
    assert "toklab.tokenizers" in tomllib.loads(text)["project"]["entry-points"]


def test_the_adapter_in_the_docs_works() -> None:
    (source,) = blocks(ROOT / "docs" / "extending.md", "python")
    namespace: dict[str, Callable[[], VideoTokenizer]] = {}
    exec(compile(source, "docs/extending.md", "exec"), namespace)  # type: ignore[arg-type]
    tokenizer = namespace["Pooling"]()
    video = torch.rand(1, 3, 5, 20, 24) * 2 - 1
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape
