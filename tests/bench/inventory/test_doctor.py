from __future__ import annotations

import pytest
from toklab.bench.inventory import doctor
from toklab.bench.inventory.listing import listing
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
