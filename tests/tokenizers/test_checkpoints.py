from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub.utils
import pytest
from toklab.tokenizers import checkpoints
from toklab.tokenizers.interface import CheckpointUnavailable, TokenizerError

REPOSITORY = "[checkpoint]\nrepository = 'own/er'\nfile = 'folder/x.ckpt'\n"


@pytest.fixture(autouse=True)
def _empty_hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(checkpoints, "_require_connection", lambda: None)


@pytest.mark.parametrize("place", ["own/er/folder/x.ckpt", "x.ckpt"])
def test_checkpoints_folder_of_the_user_is_looked_through(
    make_card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    card = make_card(tables=REPOSITORY)
    assert checkpoints.find(card) is None
    path = tmp_path / "mine" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path / "mine"))
    assert checkpoints.resolve(card) == path
    assert checkpoints.hint(card) == ""


def test_a_common_file_name_is_found_below_its_repository_alone(
    make_card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card(tables="[checkpoint]\nrepository = 'own/er'\nfile = 'autoencoder.jit'\n")
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path))
    (tmp_path / "autoencoder.jit").write_bytes(b"another model's")
    assert checkpoints.find(card) is None
    path = tmp_path / "own" / "er" / "autoencoder.jit"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert checkpoints.find(card) == path


def test_both_files_of_a_card_are_downloaded(make_card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(tables="[checkpoint]\nrepository = 'own/er'\nfile = 'a.jit'\nalso = { file = 'b.jit' }\n")
    assert card.checkpoint.description == "own/er: a.jit and b.jit"
    fetched: list[str] = []

    def download(repository: str, file: str, **options: object) -> str:
        fetched.append(file)
        (tmp_path / "own" / "er").mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / "er" / file).write_bytes(file.encode())
        return str(tmp_path / "own" / "er" / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path))
    assert checkpoints.find(card) is None
    path = checkpoints.resolve(card, download=True)
    assert fetched == ["a.jit", "b.jit"]
    assert path == checkpoints.find(card) == tmp_path / "own" / "er" / "a.jit"
    hashes = [hashlib.sha256(file.encode()).hexdigest() for file in fetched]
    assert checkpoints.weights_identity(card, path) == f"sha256:{'+'.join(hashes)}"


def test_hub_cache_is_looked_through(make_card, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--own--er" / "snapshots" / ("0" * 40)
    (snapshot / "folder").mkdir(parents=True)
    (snapshot / "folder" / "x.ckpt").write_bytes(b"weights")
    reference = tmp_path / "hub" / "models--own--er" / "refs" / "main"
    reference.parent.mkdir()
    reference.write_text("0" * 40)
    assert checkpoints.resolve(make_card(tables=REPOSITORY)) == snapshot / "folder" / "x.ckpt"


def test_what_is_absent_comes_with_its_hint(make_card) -> None:
    card = make_card(tables=REPOSITORY)
    assert checkpoints.hint(card) == "toklab weights pull a-card"
    with pytest.raises(CheckpointUnavailable, match=r"own/er: folder/x\.ckpt is not on this machine"):
        checkpoints.resolve(card)
    with pytest.raises(CheckpointUnavailable, match=r"Put .*w\.safetensors there"):
        checkpoints.resolve(make_card(tables="[checkpoint]\npath = 'w.safetensors'"), download=True)


def test_a_card_may_say_how_its_file_is_made(make_card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(tables="[checkpoint]\npath = 'w.safetensors'\nhint = 'Train it'")
    assert card.identity == make_card(tables="[checkpoint]\npath = 'w.safetensors'").identity
    with pytest.raises(CheckpointUnavailable, match=r"Train it and put it at \$TOKLAB_CHECKPOINTS/w\.safetensors"):
        checkpoints.resolve(card)
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "w.safetensors").write_bytes(b"weights")
    assert checkpoints.resolve(card) == tmp_path / "mine" / "w.safetensors"


def test_the_file_beside_a_card_comes_before_one_of_the_same_name(
    make_card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card(tables="[checkpoint]\npath = 'vae/model.safetensors'")
    for folder in ("vae", "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(folder.encode())
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path / "mine"))
    assert checkpoints.find(card) == tmp_path / "vae" / "model.safetensors"


def test_a_failed_download_comes_with_its_hint(make_card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointUnavailable, match="can't be downloaded") as caught:
        checkpoints.resolve(make_card(tables=REPOSITORY), download=True)
    assert "toklab weights pull a-card" in caught.value.hint
    assert "$TOKLAB_CHECKPOINTS/own/er/folder/x.ckpt" in caught.value.hint


def test_sha256_is_checked_and_is_the_identity(make_card, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    right, wrong = hashlib.sha256(b"weights").hexdigest(), "0" * 64
    tables = "[checkpoint]\npath = 'w.pt'\nsha256 = '{}'"
    card = make_card(tables=tables.format(right.upper()))
    path = checkpoints.resolve(card)
    assert checkpoints.weights_identity(card, path) == f"sha256:{right}"
    with pytest.raises(TokenizerError, match=f"has SHA-256 {right}, but .* says {wrong}; put the right file there"):
        checkpoints.resolve(make_card(tables=tables.format(wrong)))


def test_identity_without_a_file(make_card) -> None:
    assert checkpoints.resolve(make_card()) is None
    assert checkpoints.weights_identity(make_card(), None) == "none"
    assert checkpoints.weights_identity(make_card(tables="[checkpoint]\nrandom_seed = 7"), None) == "random:7"


def test_a_hub_out_of_reach_is_said_at_once(make_card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    # Before 1.0, the client keeps a connection that refuses everything if the first one was made offline.
    getattr(huggingface_hub.utils, "reset_sessions", lambda: None)()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("the client would try again"))
    with pytest.raises(CheckpointUnavailable, match=r"a-card: own/er: folder/x.ckpt can't be downloaded \(Connect"):
        checkpoints.resolve(make_card(tables=REPOSITORY), download=True)
