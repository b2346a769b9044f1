"""Downloads whose card gives no SHA-256: pinned on first use, checked ever after."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.tokenizers import checkpoints
from toklab.tokenizers.card import Card
from toklab.tokenizers.trust.lock import LOCK_VARIABLE, LockError, lock_file, read_pins, set_pin

MakeCard = Callable[..., Card]
REPOSITORY = "[checkpoint]\nrepository = 'own/er'\nfile = 'x.ckpt'\n"
SOURCE = "own/er@main/x.ckpt"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A downloaded file, where it is found locally."""
    monkeypatch.setenv("TOKLAB_CHECKPOINTS", str(tmp_path / "mine"))
    path = tmp_path / "mine" / "own" / "er" / "x.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first")
    return path


def test_the_first_use_pins_and_later_ones_check(make_card: MakeCard, download: Path) -> None:
    card = make_card(tables=REPOSITORY)
    assert checkpoints.resolve(card) == download
    assert {source: pin.sha256 for source, pin in read_pins().items()} == {SOURCE: sha256(b"first")}
    assert checkpoints.resolve(card) == download
    download.write_bytes(b"second!")
    with pytest.raises(LockError) as raised:
        checkpoints.resolve(card)
    for part in (str(download), sha256(b"first"), sha256(b"second!"), "toklab weights lock --update a-card"):
        assert part in str(raised.value)
    set_pin(SOURCE, sha256(b"second!"), replace=True)
    assert checkpoints.resolve(card) == download


def test_both_files_of_a_card_are_pinned(make_card: MakeCard, download: Path) -> None:
    download.with_name("y.ckpt").write_bytes(b"other")
    card = make_card(tables=f"{REPOSITORY}revision = 'abc'\nalso = {{ file = 'y.ckpt' }}\n")
    checkpoints.resolve(card)
    assert set(read_pins()) == {"own/er@abc/x.ckpt", "own/er@abc/y.ckpt"}


@pytest.mark.parametrize("kind", ["its hash is on the card", "it is the user's own file"])
def test_what_needs_no_pin_gets_none(make_card: MakeCard, download: Path, kind: str) -> None:
    own = f"[checkpoint]\npath = '{download}'\n"
    known = f"{REPOSITORY}sha256 = '{sha256(b'first')}'\n"
    card = make_card(tables=known if "card" in kind else own)
    checkpoints.resolve(card)
    assert not lock_file().exists()


def test_the_weights_identity_stays_that_of_the_file(make_card: MakeCard, download: Path) -> None:
    card = make_card(tables=REPOSITORY)
    assert checkpoints.weights_identity(card, checkpoints.resolve(card)) == f"sha256:{sha256(b'first')}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "weights": {}}', '{"format": 1, "weights": {"a": 3}}'])
def test_a_damaged_lock_file_is_named(make_card: MakeCard, download: Path, text: str) -> None:
    lock_file().parent.mkdir(parents=True, exist_ok=True)
    lock_file().write_text(text)
    with pytest.raises(LockError, match="lock"):
        checkpoints.resolve(make_card(tables=REPOSITORY))
    assert lock_file().read_text() == text


def test_a_pin_that_is_no_hash_is_refused(make_card: MakeCard, download: Path) -> None:
    lock_file().parent.mkdir(parents=True, exist_ok=True)
    lock_file().write_text(json.dumps({"format": 1, "weights": {SOURCE: {"sha256": "", "since": ""}}}))
    with pytest.raises(LockError, match="64 hexadecimal digits"):
        checkpoints.resolve(make_card(tables=REPOSITORY))


def test_a_lock_file_that_cannot_be_written_is_a_warning(
    make_card: MakeCard, download: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "file" / "lock"))
    monkeypatch.setattr("toklab.tokenizers.trust.lock.read_pins", dict)
    with pytest.warns(UserWarning, match="isn't pinned; name another file with TOKLAB_WEIGHTS_LOCK"):
        checkpoints.resolve(make_card(tables=REPOSITORY))


def test_no_pin_of_another_process_is_lost() -> None:
    program = (
        "import sys\nfrom toklab.tokenizers.trust.lock import set_pin\n"
        "for n in range(20): set_pin(f'{sys.argv[1]}-{n}', '0' * 64, replace=False)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    assert set(read_pins()) == {f"{name}-{n}" for name in "ab" for n in range(20)}


def test_the_lock_file_lies_with_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOCK_VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/conf")
    assert lock_file() == Path("/conf/toklab/toklab-weights.lock")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert lock_file() == Path.home() / ".config" / "toklab" / "toklab-weights.lock"
