from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from toklab.bench.inventory import doctor
from toklab.bench.inventory.listing import listing
from toklab.bench.metrics import weights
from toklab.bench.metrics.published_pickles import JEDI_VJEPA
from toklab.tokenizers import adapters
from toklab.tokenizers.baselines.codecs import CODECS


def test_encoders_and_filters_that_ffmpeg_lacks_have_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "has_encoder", lambda name: name != "libvvenc")
    monkeypatch.setattr(doctor, "has_filter", lambda name: False)
    findings = {finding.subject: finding for finding in doctor.examine() if finding.subject.startswith("ffmpeg")}
    assert findings["ffmpeg"].state == "ok"
    assert all((name in findings["ffmpeg"].text) == (name != "libvvenc") for name in CODECS)
    for name in ("libvvenc", "libvmaf"):
        assert findings[f"ffmpeg with {name}"].state == "missing"
        assert f"--enable-{name}" in findings[f"ffmpeg with {name}"].hint


@pytest.mark.parametrize("has_extras", [True, False])
def test_the_tokenizers_that_can_run_are_those_of_the_list(monkeypatch: pytest.MonkeyPatch, has_extras: bool) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: name if has_extras else None)
    findings = {finding.subject: finding for finding in doctor.examine()}
    records = listing("tokenizers").records
    assert findings["tokenizers"].text == f"{sum(r['ready'] for r in records)} of {len(records)} can run now"
    lacking = sum("extra" in record["needs"] for record in records)
    assert (lacking == 0) == has_extras == ("extra diffusers" not in findings)
    if not has_extras:
        assert findings["extra diffusers"].text == f"{lacking} tokenizers need it"
        assert findings["extra diffusers"].hint == "pip install 'toklab[diffusers]'"


@pytest.mark.parametrize("state", ["missing", "broken", "ok"])
def test_weights_are_ok_only_if_their_metric_takes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "WEIGHT_FILES", {"lpips-vgg": replace(weights.LPIPS_VGG, size=9)})
    path = weights.own_folder() / weights.LPIPS_VGG.file_name
    path.parent.mkdir(parents=True)
    if state != "missing":
        path.write_bytes(b"truncated" if state == "ok" else b"cut")
    found, *_ = doctor._weights()
    texts = {
        "missing": weights.LPIPS_VGG.purpose,
        "broken": f"{path} has 3 bytes instead of 9",
        "ok": str(path),
    }
    hints = {"missing": weights.LPIPS_VGG.hint, "broken": f"remove it and run {weights.LPIPS_VGG.hint}", "ok": ""}
    assert (found.subject, found.state) == ("weights lpips-vgg", state)
    assert (found.text, found.hint) == (texts[state], hints[state])


@pytest.mark.parametrize("state", ["missing", "broken", "ok"])
def test_converted_weights_are_ok_only_if_they_say_what_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    path = weights.own_folder() / JEDI_VJEPA.file_name
    path.parent.mkdir(parents=True)
    made_from = {part.file_name: "ab" for part in JEDI_VJEPA.parts}
    if state == "ok":
        save_file({"x": torch.zeros(1)}, path, metadata={"toklab": json.dumps({"made_from": made_from})})
    elif state == "broken":
        path.write_bytes(b"cut")
    found = {finding.subject: finding for finding in doctor._weights()}["weights jedi"]
    hints = {"missing": JEDI_VJEPA.hint, "broken": f"Remove it and run {JEDI_VJEPA.hint}", "ok": ""}
    assert (found.state, found.hint) == (state, hints[state])
