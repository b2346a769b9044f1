"""Weights from pickles: accepted, fetched, converted, pinned and loaded, with tiny networks of the real state dicts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_video_transformers import TINY, tiny_videomae, tiny_vjepa, videomae_pickle, vjepa_pickles
from toklab.bench.cli.main import app
from toklab.bench.metrics import converted_weights, weights
from toklab.bench.metrics.jedi import Jedi, PairedJedi
from toklab.bench.metrics.published_pickles import CONVERTED_WEIGHTS, FVD_VIDEOMAE, JEDI_VJEPA, ConvertedWeights
from toklab.bench.metrics.video_transformers import VIT_GIANT_14, VIT_HUGE_16, VideoMae, VJepaFeatures
from toklab.bench.metrics.weights import WeightsUnavailableError
from toklab.tokenizers.trust.lock import read_pins, set_pin
from toklab.tokenizers.trust.weight_files import sha256_of
from typer.testing import CliRunner

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Published:
    """A folder in place of the publisher's server, and weights that come from there."""

    folder: Path
    weights: ConvertedWeights


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """V-JEPA's two pickles of a tiny network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "published"
    folder.mkdir()
    for name, content in vjepa_pickles(tiny_vjepa()).items():
        torch.save(content, folder / name)
    parts = tuple(replace(part, urls=((folder / part.file_name).as_uri(),)) for part in JEDI_VJEPA.parts)
    made = replace(JEDI_VJEPA, parts=parts, network=lambda: VJepaFeatures(TINY))
    monkeypatch.setitem(CONVERTED_WEIGHTS, "jedi", made)
    for metric in (Jedi, PairedJedi):
        monkeypatch.setattr(metric, "converted", made)
    return Published(folder, made)


def test_without_the_licence_nothing_is_fetched(published: Published) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"CC BY-NC 4\.0.*toklab weights pull jedi --accept-licence"):
        converted_weights.pull(published.weights)
    assert not weights.own_folder().exists()
    refused = CliRunner().invoke(app, ["weights", "pull", "jedi"])
    assert refused.exit_code != 0
    assert not weights.own_folder().exists()


def test_pull_converts_once_and_records_every_hash(published: Published) -> None:
    pulled = CliRunner().invoke(app, ["weights", "pull", "jedi", "--accept-licence"])
    assert pulled.exit_code == 0, pulled.output
    path = converted_weights.find(published.weights)
    assert path is not None
    assert path == weights.own_folder() / "jedi-vjepa-h16-ssv2.safetensors"
    # What was downloaded isn't needed any more.
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    hashes = {part.file_name: sha256_of(published.folder / part.file_name) for part in published.weights.parts}
    pins = {source: pin.sha256 for source, pin in read_pins().items()}
    expected = {part.urls[0]: hashes[part.file_name] for part in published.weights.parts}
    assert pins == {**expected, "converted/jedi-vjepa-h16-ssv2.safetensors": sha256_of(path)}
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["toklab"])
    assert told["made_from"] == hashes
    assert "CC BY-NC 4.0" in told["licence"]
    state = load_file(path)
    expected_state = tiny_vjepa().state_dict()
    assert state.keys() == expected_state.keys()
    assert all(torch.equal(state[name], expected_state[name]) for name in state)
    # It needs neither the licence nor the server again, and equal pickles give equal bytes.
    first = sha256_of(path)
    assert converted_weights.pull(published.weights) == path
    path.unlink()
    assert sha256_of(converted_weights.pull(published.weights, accept_licence=True)) == first


def test_the_converted_file_is_as_readable_as_any_other_new_file(published: Published) -> None:
    path = converted_weights.pull(published.weights, accept_licence=True)
    (path.parent / "other").touch()
    assert path.stat().st_mode == (path.parent / "other").stat().st_mode


def test_pickles_that_are_here_are_used_and_kept(published: Published) -> None:
    weights.own_folder().mkdir(parents=True)
    for part in published.weights.parts:
        (published.folder / part.file_name).rename(weights.own_folder() / part.file_name)
    converted_weights.pull(published.weights, accept_licence=True)
    assert len(list(weights.own_folder().iterdir())) == 3


def test_another_pickle_than_the_pinned_one_is_refused(published: Published) -> None:
    part = published.weights.parts[0]
    set_pin(part.urls[0], "0" * 64, replace=False)
    with pytest.raises(WeightsUnavailableError, match="was pinned at"):
        converted_weights.pull(published.weights, accept_licence=True)
    assert converted_weights.find(published.weights) is None


def test_another_converted_file_than_the_pinned_one_is_refused(published: Published) -> None:
    path = converted_weights.pull(published.weights, accept_licence=True)
    set_pin(published.weights.pinned_as, "0" * 64, replace=True)
    with pytest.raises(WeightsUnavailableError, match="was pinned at"):
        Jedi().prepare(CPU)
    locked = CliRunner().invoke(app, ["weights", "lock"])
    assert locked.exit_code == 1
    assert "toklab weights lock --update jedi" in locked.output
    assert CliRunner().invoke(app, ["weights", "lock", "--update", "jedi"]).exit_code == 0
    Jedi().prepare(CPU)
    path.write_bytes(b"no safetensors")
    with pytest.raises(WeightsUnavailableError, match=r"none that toklab weights pull has made.*Remove it"):
        Jedi().prepare(CPU)


def test_a_file_of_unknown_origin_is_refused(published: Published) -> None:
    from safetensors.torch import save_file

    weights.own_folder().mkdir(parents=True)
    save_file(tiny_vjepa().state_dict(), weights.own_folder() / published.weights.file_name)
    with pytest.raises(WeightsUnavailableError, match="none that toklab weights pull has made"):
        Jedi().prepare(CPU)


@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape", "no section", "object"])
def test_pickles_must_hold_exactly_the_network(published: Published, fault: str) -> None:
    path = published.folder / "ssv2-probe.pth.tar"
    content = torch.load(path, weights_only=True)
    section = content["classifier"]
    name = "module.pooler.query_tokens"
    if fault == "missing":
        del section[name]
    elif fault == "unexpected":
        section["module.pooler.blocks.0.norm1.weight"] = torch.zeros(3)
    elif fault == "shape":
        section[name] = torch.zeros(1, 2, TINY.width)
    elif fault == "no section":
        content = {"epoch": 3}
    else:
        content["classifier"] = Path("a pickled object")
    torch.save(content, path)
    reasons = {
        "missing": "Missing key",
        "unexpected": "Unexpected key",
        "shape": "size mismatch",
        "no section": "no state dict under classifier",
        "object": "runs no code",
    }
    with pytest.raises(WeightsUnavailableError, match=reasons[fault]):
        converted_weights.pull(published.weights, accept_licence=True)
    assert converted_weights.find(published.weights) is None
    assert read_pins() == {}


PAGE = b"<html>try again later</html>"


@pytest.mark.parametrize("is_pinned", [False, True])
def test_a_wrong_download_is_removed_and_fetched_anew(published: Published, is_pinned: bool) -> None:
    path = published.folder / published.weights.parts[0].file_name
    right = path.read_bytes()
    if is_pinned:
        set_pin(published.weights.parts[0].urls[0], sha256_of(path), replace=False)
    path.write_bytes(PAGE)
    with pytest.raises(WeightsUnavailableError, match="What was fetched is removed; to fetch it anew: toklab weights"):
        converted_weights.pull(published.weights, accept_licence=True)
    assert list(weights.own_folder().iterdir()) == []
    path.write_bytes(right)
    converted_weights.pull(published.weights, accept_licence=True)


def test_a_wrong_pickle_of_the_users_own_is_kept_and_named(published: Published) -> None:
    weights.own_folder().mkdir(parents=True)
    part = published.weights.parts[0]
    own = weights.own_folder() / part.file_name
    own.write_bytes(PAGE)
    with pytest.raises(WeightsUnavailableError, match=f"{own}: .*Remove it; it comes from {part.urls[0]}"):
        converted_weights.pull(published.weights, accept_licence=True)
    assert list(weights.own_folder().iterdir()) == [own]


def test_metrics_of_the_same_features_share_one_network(published: Published) -> None:
    converted_weights.pull(published.weights, accept_licence=True)
    one, other = (converted_weights.load(published.weights, CPU) for _ in range(2))
    assert one.network is other.network
    assert one.digest == other.digest
    assert len(one.digest) == 32


def test_half_precision_is_computed_with_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    source = tmp_path / "vit_g_hybrid_pt_1200e_ssv2_ft.pth"
    torch.save(videomae_pickle(tiny_videomae()), source)
    parts = (replace(FVD_VIDEOMAE.parts[0], urls=("file:///nowhere", source.as_uri())),)
    made = replace(FVD_VIDEOMAE, parts=parts, network=lambda: VideoMae(TINY))
    converted_weights.pull(made, accept_licence=True)
    loaded = converted_weights.load(made, CPU)
    expected = {name: value.half().float() for name, value in tiny_videomae().state_dict().items()}
    found = loaded.network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert loaded.network.get_buffer("positions").device == CPU


def test_addresses_names_and_sizes() -> None:
    assert [part.urls[0] for part in JEDI_VJEPA.parts] == [
        "https://dl.fbaipublicfiles.com/jepa/vith16/vith16.pth.tar",
        "https://dl.fbaipublicfiles.com/jepa/vith16/ssv2-probe.pth.tar",
    ]
    assert [url.split("/")[4] for url in FVD_VIDEOMAE.parts[0].urls] == ["InternVideoMAE_models", "VideoMAE2"]
    with torch.device("meta"):
        networks = JEDI_VJEPA.network(), FVD_VIDEOMAE.network()
    assert isinstance(networks[0], VJepaFeatures)
    assert isinstance(networks[1], VideoMae)
    assert networks[0].size == VIT_HUGE_16
    assert networks[1].size == VIT_GIANT_14


def test_listed_and_told(published: Published) -> None:
    listed = CliRunner().invoke(app, ["weights", "list"]).output
    assert "toklab weights pull jedi --accept-licence" in listed
    told = CliRunner().invoke(app, ["weights", "path", "jedi"])
    assert told.exit_code == 1
    assert "toklab weights pull jedi --accept-licence" in told.output
    path = converted_weights.pull(published.weights, accept_licence=True)
    assert CliRunner().invoke(app, ["weights", "path", "jedi"]).output.strip() == str(path)
    assert " ok " in CliRunner().invoke(app, ["weights", "lock", "jedi"]).output
