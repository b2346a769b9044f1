from __future__ import annotations

import pytest
from toklab.bench.inventory import doctor
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
