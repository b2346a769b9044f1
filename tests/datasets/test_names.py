from __future__ import annotations

from pathlib import Path

import pytest
from toklab.datasets.names import display_names, is_root_identity, root_identity


def test_a_folder_is_one_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "link").symlink_to("clips")
    monkeypatch.chdir(tmp_path)
    written = [Path("clips"), Path("./clips/"), tmp_path / "clips", Path("link"), Path("clips/../clips")]
    assert {root_identity("folder", path) for path in written} == {f"folder:{tmp_path.resolve()}/clips"}
    assert is_root_identity(root_identity("folder", tmp_path))
    assert not is_root_identity("mcl-jcv")


@pytest.mark.parametrize(
    ("identities", "names"),
    [
        (("folder:/data/clips", "mcl-jcv"), ("clips", "mcl-jcv")),
        (("folder:/a/clips", "folder:/b/clips"), ("a/clips", "b/clips")),
        (("folder:/a/x/clips", "folder:/b/x/clips", "folder:/b/other"), ("a/x/clips", "b/x/clips", "other")),
        (("folder:/a/clips", "images:/a/clips"), ("folder:/a/clips", "images:/a/clips")),
        (("folder:/a/clips", "clips"), ("a/clips", "clips")),
        (("folder:/data/mcl-jcv",), ("data/mcl-jcv",)),
        (("folder:/mcl-jcv",), ("/mcl-jcv",)),
        (("folder", "folder:/"), ("folder", "/")),
    ],
)
def test_names_in_reports_are_short_and_unique(identities: tuple[str, ...], names: tuple[str, ...]) -> None:
    found = display_names(identities, reserved=("mcl-jcv", "sample"))
    assert tuple(found[identity] for identity in identities) == names
