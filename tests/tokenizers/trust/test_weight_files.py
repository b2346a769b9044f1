"""Files of weights: read as data, refused by name where they are damaged or hold more than that."""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from toklab.tokenizers.errors import TokenizerError
from toklab.tokenizers.trust.weight_files import load_state, read_torch, sha256_of

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


def test_sha256_follows_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    first = sha256_of(path)
    path.write_bytes(b"other")
    assert sha256_of(path) == hashlib.sha256(b"other").hexdigest() != first


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
        assert same(load_state(path)), path


def test_averaged_and_nested_weights_are_found(tmp_path: Path) -> None:
    other = {name: torch.zeros_like(value) for name, value in STATE.items()}
    torch.save({"state_dict": other, "ema_state_dict": STATE}, tmp_path / "averaged.ckpt")
    torch.save({"state_dict": {"gen_model": STATE, "dics_model": other}}, tmp_path / "nested.ckpt")
    for path in tmp_path.glob("*.ckpt"):
        assert same(load_state(path)), path


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
        load_state(path)


def test_an_archive_whose_list_of_files_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(STATE, path)
    content = path.read_bytes()
    first_entry = content.index(b"PK\x01\x02")
    path.write_bytes(content[:first_entry] + b"\0" * 4 + content[first_entry + 4 :])
    with pytest.raises(TokenizerError, match=f"{path}: damaged or truncated"):
        load_state(path)


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
        load_state(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [b"<html>try again later</html>", b'{"error": 1}', b"Rate limit exceeded", b"hello", b"\0" * 99]
)
def test_what_is_no_file_of_torch_is_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    shown = re.escape(f"{path}: no file of torch, for it begins with {content[:24]!r}; fetch it again")
    with pytest.raises(TokenizerError, match=shown):
        load_state(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.mkdir()
    with pytest.raises(TokenizerError, match=f"{path}: .*Is a directory"):
        read_torch(path)


@pytest.mark.parametrize("num_bytes", [0, 1, 2, 50, 200])
def test_a_truncated_file_of_early_torch_is_named(tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "w.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:num_bytes])
    with pytest.raises(TokenizerError, match=f"{path}: damaged or truncated"):
        load_state(path)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_objects_are_told_from_what_is_no_file_of_torch(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(RunsCode(tmp_path / "marker"), protocol))
    with pytest.raises(TokenizerError, match="holds Python objects beside tensors"):
        load_state(path)


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
        ("absent.pt", r"absent\.pt: there is no such file"),
        ("plain.pt", "plain.pt: "),
    ]:
        with pytest.raises(TokenizerError, match=message):
            load_state(tmp_path / file)
