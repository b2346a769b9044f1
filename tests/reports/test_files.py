from pathlib import Path

import pytest
from toklab.reports.files import write_bytes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_bytes(tmp_path / "new" / "table.md", b"old\n")

    def fail(temporary, content):
        with temporary.open("wb") as file:
            file.write(content[:2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new\n")
    assert path.read_bytes() == b"old\n"
    assert list(path.parent.iterdir()) == [path]
