"""What `toklab list tokenizers` says of what can run, what is missing, and what was published."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from toklab.bench.inventory.listing import listing
from toklab.tokenizers import adapters
from toklab.tokenizers.card import Card
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import TokenizerError


@pytest.fixture(autouse=True)
def _without_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


def test_states_and_what_brings_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    text = listing("tokenizers").text()
    assert line_of(text, "bicubic-4chn").endswith("ready")
    assert line_of(text, "vidtok-tiny-kl-4chn").endswith("ready (random)")
    assert line_of(text, "cogvideox-2b").endswith("extra, download")
    assert line_of(text, "cosmos-tiny-cv").endswith("extra")
    assert line_of(text, "vidtok_kl_causal_488_16chn").split()[1:] == [
        "vidtok",
        "KL",
        "-",
        "16chn",
        "4×8×8",
        "download",
    ]
    assert line_of(text, "progressive-4x").endswith("checkpoint")
    assert "extra: pip install 'toklab[diffusers]'" in text
    assert "download: toklab weights pull NAME" in text
    assert "checkpoint: toklab weights path NAME says where" in text
    assert "ready (random): weights nobody has trained" in text


@pytest.mark.parametrize("kind", ["tokenizers", "datasets", "metrics", "suites"])
@pytest.mark.parametrize("width", [100, 140])
def test_no_line_is_wider_than_asked(kind: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither are the published figures, whose remarks are long; and nothing is cut."""
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    monkeypatch.setenv("TOKLAB_DATA", "")
    found = listing(kind)
    texts = [found.text(width)]
    if kind == "tokenizers":
        texts.append(listing(kind, published=True).text(width))
    for text in texts:
        assert max(map(cell_len, text.splitlines())) <= width
        assert "…" not in text
    words = " ".join(texts[0].split())
    assert all(str(record["name"]) in words for record in found.records)
    if kind == "suites":
        assert all(str(record["title"]).split()[-1] in words for record in found.records)


def test_family_and_ready_filter() -> None:
    everything = listing("tokenizers").records
    for family in ("vidtok", "taehv"):
        of_family = [record for record in everything if record["family"] == family]
        assert listing("tokenizers", family=family).records == of_family
        ready = listing("tokenizers", family=family.upper(), ready=True)
        assert ready.records == [record for record in of_family if not record["needs"]]
        assert f"{len(ready.records)} tokenizers of the family {family.upper()} are ready" in ready.text()
    assert {r["name"] for r in everything if r["ready"]} == {
        r["name"] for r in listing("tokenizers", ready=True).records
    }


def test_an_unknown_family_names_the_nearest_and_all() -> None:
    with pytest.raises(ValueError, match=r"family 'vidtk'; did you mean vidtok\? Families: baseline, cdt, .*vidtok"):
        listing("tokenizers", family="vidtk")
    with pytest.raises(ValueError, match=r"family '§'\. Families: baseline"):
        listing("tokenizers", family="§")


@pytest.mark.parametrize(
    ("kind", "filters", "message"),
    [
        ("metrics", {"family": "vidtok"}, "toklab list tokenizers --family"),
        ("datasets", {"published": True}, "toklab list tokenizers --published"),
        ("suites", {"ready": True}, "toklab list tokenizers --ready"),
    ],
)
def test_a_filter_that_a_kind_lacks_is_named(kind: str, filters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        listing(kind, **filters)


def test_metrics_and_datasets_that_are_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLAB_DATA", str(tmp_path))
    (tmp_path / "mcl-jcv").mkdir()
    assert {record["name"] for record in listing("datasets", ready=True).records} == {"sample", "mcl-jcv"}
    metrics = listing("metrics")
    assert listing("metrics", ready=True).records == [record for record in metrics.records if record["ready"]]
    assert "psnr" in {record["name"] for record in metrics.records if record["ready"]}


def test_what_papers_print_has_its_source() -> None:
    text = listing("tokenizers", published=True).text()
    row = line_of(text, "vidtok_kl_causal_488_16chn")
    assert "PSNR 35.04, SSIM 0.942, LPIPS 0.047, FVD 78.9 on mcl-jcv" in row
    (number,) = re.findall(r"\[\d+\]", row)
    assert f"{number} VidTok paper Table 1 (arXiv:2412.13061)" in text


def test_programs_get_all_that_is_known() -> None:
    document = json.loads(json.dumps(listing("tokenizers").document(), allow_nan=False))
    (found,) = (record for record in document["tokenizers"] if record["name"] == "vidtok_kl_causal_488_16chn")
    assert (found["family"], found["latent_channels"], found["compression"]) == ("vidtok", 16, [4, 8, 8])
    assert found["ready"] is False
    assert found["hints"] == ["download: toklab weights pull NAME"]
    assert any(row["source"].startswith("VidTok paper Table 1") for row in found["published"])
    assert document["broken_plugins"] == []
    assert found["training"] is None
    (ours,) = (record for record in document["tokenizers"] if record["name"] == "progressive-small-8x")
    assert (ours["training"]["recipe"], ours["training"]["start_psnr"]) == ("progressive-8x", 23.044)
    assert len(ours["training"]["init_hash"]) == 64
    for kind in ("datasets", "metrics", "suites"):
        assert json.loads(json.dumps(listing(kind).document(), allow_nan=False))[kind]


def test_a_card_of_ones_own_without_its_file_is_named(tmp_path: Path) -> None:
    text = (Path(str(load_cards()["vidtok-tiny-kl-4chn"].source))).read_text()
    text = text.replace('name = "vidtok-tiny-kl-4chn"', 'name = "mine"').replace("random_seed = 0", 'path = "w.ckpt"')
    (tmp_path / "mine.toml").write_text(text)
    found = listing("tokenizers", (tmp_path,)).text(80)
    assert line_of(found, "mine").endswith("checkpoint")
    assert f"mine: Put {tmp_path / 'w.ckpt'} there" in " ".join(found.split())


def families() -> dict[str, Card]:
    """One card with random weights for every adapter that has one."""
    return {card.adapter: card for card in load_cards().values() if card.checkpoint.kind == "random"}


@pytest.mark.parametrize("card", families().values(), ids=lambda card: card.name)
def test_adapters_need_the_extra_they_are_listed_with(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for name in [name for name in sys.modules if name.startswith("diffusers.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    if not adapters.missing_extra(card.adapter):
        build_on_meta(card)
        return
    with pytest.raises((TokenizerError, ImportError)):
        build_on_meta(card)
