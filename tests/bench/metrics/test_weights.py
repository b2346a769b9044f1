"""Finding, verifying and downloading metric weights, with small files in their place."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.client import BadStatusLine
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import pytest
from toklab.bench.metrics import weights
from toklab.bench.metrics.weights import WeightFile, WeightsUnavailableError

CONTENT = bytes(range(256)) * 9000


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address a local server gives it under."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def weight(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightFile:
    folder, address = served
    (folder / "net.pth").write_bytes(CONTENT)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    made = WeightFile("net", "net.pth", len(CONTENT), digest, (f"{address}/net.pth",), "a test network")
    monkeypatch.setitem(weights.WEIGHT_FILES, "net", made)
    return made


@pytest.mark.slow
def test_pull_writes_the_file_and_tells_its_progress(weight: WeightFile) -> None:
    reports: list[tuple[int, int]] = []
    path = weights.pull("net", lambda done, of: reports.append((done, of)))
    assert path == weights.own_folder() / "net.pth"
    assert path.read_bytes() == CONTENT
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["net.pth"]
    assert weights.verified(weight) == weights.find("net") == path


@pytest.mark.slow
def test_pull_does_not_fetch_twice(weight: WeightFile, served: tuple[Path, str]) -> None:
    path = weights.pull("net")
    (served[0] / "net.pth").unlink()
    assert weights.pull("net") == path


@pytest.mark.slow
def test_pull_goes_into_the_named_folder(weight: WeightFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKLAB_WEIGHTS", str(tmp_path / "mine"))
    assert weights.pull("net") == tmp_path / "mine" / "net.pth"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "bytes instead of"),
        (CONTENT + b"x", "more than"),
        (b"x" + CONTENT[1:], "SHA-256 [0-9a-f]{64} instead of"),
        (b"y" + CONTENT[1:], "SHA-256 [0-9a-f]{64} instead of"),
    ],
)
def test_a_wrong_download_leaves_nothing(
    weight: WeightFile, served: tuple[Path, str], content: bytes, reason: str
) -> None:
    (served[0] / "net.pth").write_bytes(content)
    with pytest.raises(WeightsUnavailableError, match=reason):
        weights.pull("net")
    assert list(weights.own_folder().iterdir()) == []


@pytest.mark.slow
def test_the_next_source_is_tried(weight: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = "http://127.0.0.1:9/net.pth"
    monkeypatch.setitem(weights.WEIGHT_FILES, "net", replace(weight, urls=(dead, *weight.urls)))
    assert weights.pull("net").read_bytes() == CONTENT


def test_a_server_that_talks_nonsense_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKLAB_WEIGHTS", str(tmp_path))

    class Response(BytesIO):
        headers: ClassVar = {"Content-Length": "5"}

    def answer(url: str, timeout: float) -> Response:
        if "first" in url:
            raise BadStatusLine("nonsense")
        return Response(b"right")

    monkeypatch.setattr("urllib.request.urlopen", answer)
    path = weights.fetch("net.pth", ("http://first/net.pth", "http://second/net.pth"))
    assert path.read_bytes() == b"right"


@pytest.mark.slow
def test_without_a_network_the_error_says_what_to_do(weight: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WEIGHT_FILES, "net", replace(weight, urls=("http://127.0.0.1:9/net.pth",)))
    with pytest.raises(WeightsUnavailableError, match=r"http://127\.0\.0\.1:9/net\.pth.*put it into"):
        weights.pull("net")


@pytest.mark.slow
def test_places_in_order(weight: WeightFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights.locate(weight) is None
    places = [tmp_path / "torch/hub/checkpoints", Path(os.environ["TOKLAB_CACHE"]) / "weights", tmp_path / "mine"]
    monkeypatch.setenv("TOKLAB_WEIGHTS", str(places[2]))
    for folder in places:
        folder.mkdir(parents=True)
        (folder / "net.pth").write_bytes(CONTENT)
        assert weights.locate(weight) == folder / "net.pth"


@pytest.mark.slow
def test_the_cache_of_hugging_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weight: WeightFile) -> None:
    import huggingface_hub

    cached = tmp_path / "blob"
    cached.write_bytes(CONTENT)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(cached))
    assert weights.locate(weight) is None
    assert weights.locate(replace(weight, repository="owner/name", revision="abc")) == cached


@pytest.mark.slow
def test_a_damaged_file_is_named(weight: WeightFile) -> None:
    path = weights.pull("net")
    path.write_bytes(b"x" + CONTENT[1:])
    assert weights.unavailable(weight) is None
    with pytest.raises(WeightsUnavailableError, match=r"SHA-256 .* Remove it and run toklab weights pull net"):
        weights.verified(weight)
    path.write_bytes(b"short")
    problem = weights.unavailable(weight)
    assert problem is not None
    assert "5 bytes" in problem.reason


def test_a_fetched_file_is_as_readable_as_any_other_new_file(tmp_path: Path) -> None:
    (tmp_path / "served").write_bytes(CONTENT)
    fetched = weights.fetch("net.pth", [(tmp_path / "served").as_uri()])
    (fetched.parent / "other").touch()
    assert fetched.stat().st_mode == (fetched.parent / "other").stat().st_mode


def test_a_file_that_cannot_be_read_is_named(weight: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.own_folder().mkdir(parents=True)
    path = weights.own_folder() / "net.pth"
    path.write_bytes(CONTENT)

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(weights, "sha256_of", refuse)
    with pytest.raises(WeightsUnavailableError, match=r"net\.pth can't be read \(Permission denied\)"):
        weights.verified(weight)


def test_unknown_names() -> None:
    assert not weights.is_known("nothing")
    with pytest.raises(ValueError, match="lpips-vgg, lpips-alex, fvd-i3d"):
        weights.pull("nothing")


@pytest.mark.slow
def test_status_lists_every_file(weight: WeightFile) -> None:
    assert [status.file.name for status in weights.status()] == ["lpips-vgg", "lpips-alex", "fvd-i3d", "net"]
    weights.pull("net")
    assert weights.status()[-1].path is not None
