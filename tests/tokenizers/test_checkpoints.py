from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from toklab.tokenizers import checkpoints
from toklab.tokenizers.interface import CheckpointUnavailable, TokenizerError

REPOSITORY = "[checkpoint]\nrepository = 'own/er'\nfile = 'folder/x.ckpt'\n"
STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


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
    card = make_card(tables="[checkpoint]\npath = 'w.safetensors'\ncure = 'Train it'")
    assert card.identity == make_card(tables="[checkpoint]\npath = 'w.safetensors'").identity
    with pytest.raises(CheckpointUnavailable, match=r"Train it and put it at \$TOKLAB_CHECKPOINTS/w\.safetensors"):
        checkpoints.resolve(card)
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "w.safetensors").write_bytes(b"weights")
    assert checkpoints.resolve(card) == tmp_path / "mine" / "w.safetensors"


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
    with pytest.raises(TokenizerError, match=f"has SHA-256 {right}, but .* says {wrong}"):
        checkpoints.resolve(make_card(tables=tables.format(wrong)))


def test_sha256_follows_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    first = checkpoints.sha256_of(path)
    path.write_bytes(b"other")
    assert checkpoints.sha256_of(path) == hashlib.sha256(b"other").hexdigest() != first


def test_identity_without_a_file(make_card) -> None:
    assert checkpoints.resolve(make_card()) is None
    assert checkpoints.weights_identity(make_card(), None) == "none"
    assert checkpoints.weights_identity(make_card(tables="[checkpoint]\nrandom_seed = 7"), None) == "random:7"


def same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == STATE.keys() and all(
        torch.equal(state[k], v) and state[k].dtype == v.dtype for k, v in STATE.items()
    )


def test_every_format_gives_the_same_state(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "b.pt")
    torch.save({"epoch": 3, "state_dict": STATE, "callbacks": {}}, tmp_path / "c.ckpt")
    torch.save(STATE, tmp_path / "d.pth", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.glob("?.*")):
        assert same(checkpoints.load_state(path)), path


def test_averaged_and_nested_weights_are_found(tmp_path: Path) -> None:
    other = {name: torch.zeros_like(value) for name, value in STATE.items()}
    torch.save({"state_dict": other, "ema_state_dict": STATE}, tmp_path / "averaged.ckpt")
    torch.save({"state_dict": {"gen_model": STATE, "dics_model": other}}, tmp_path / "nested.ckpt")
    for path in tmp_path.glob("*.ckpt"):
        assert same(checkpoints.load_state(path)), path


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("file", ["a.safetensors", "b.pt", "c.pth"])
def test_a_truncated_file_is_named(tmp_path: Path, file: str, share: float) -> None:
    path = tmp_path / file
    if path.suffix == ".safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=path.suffix == ".pt")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TokenizerError, match=f"{path}: damaged or truncated"):
        checkpoints.load_state(path)


class RunsCode:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("as_archive", [True, False])
def test_nothing_is_unpickled(tmp_path: Path, as_archive: bool) -> None:
    path, marker = tmp_path / "evil.ckpt", tmp_path / "marker"
    torch.save({"state_dict": STATE, "extra": RunsCode(marker)}, path, _use_new_zipfile_serialization=as_archive)
    with pytest.raises(TokenizerError, match="holds Python objects beside tensors"):
        checkpoints.load_state(path)
    assert not marker.exists()


def test_what_holds_no_state_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"")
    torch.save({"state_dict": {"a": 1}}, tmp_path / "numbers.pt")
    torch.save(torch.ones(2), tmp_path / "tensor.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps([1, 2, 3], protocol=2))
    (tmp_path / "weights.h5").write_bytes(b"x")
    for file, message in [
        ("script.pt", "TorchScript archive is code"),
        ("numbers.pt", "'a' is no tensor"),
        ("tensor.pt", "holds no state dict but a Tensor"),
        ("weights.h5", "checkpoints end in"),
        ("plain.pt", "plain.pt: "),
    ]:
        with pytest.raises(TokenizerError, match=message):
            checkpoints.load_state(tmp_path / file)


def test_a_hub_out_of_reach_is_said_at_once(make_card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("the client would try again"))
    with pytest.raises(CheckpointUnavailable, match=r"a-card: own/er: folder/x.ckpt can't be downloaded \(Connect"):
        checkpoints.resolve(make_card(tables=REPOSITORY), download=True)
