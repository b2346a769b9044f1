from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toklab.tokenizers.baselines.from_diffusers import diffusers_module
from toklab.tokenizers.interface import TokenizerError


def test_constants_of_a_module_stay_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_with_constants.py").write_text("import torch\nCONSTANT = torch.zeros(2)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with torch.device("meta"):
        module = diffusers_module("module_with_constants", "a-tokenizer")
        assert torch.zeros(1).is_meta
    assert module.CONSTANT.device.type == "cpu"


def test_what_cannot_be_imported_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(TokenizerError, match=r"a-tokenizer: .*no_such_module.*pip install 'toklab\[diffusers\]'"):
        diffusers_module("no_such_module", "a-tokenizer")
