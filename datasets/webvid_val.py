"""WebVid-10M's validation list, over the user's own copy of the videos."""

from __future__ import annotations

import csv
from pathlib import Path

from .interface import Dataset, DatasetUnavailable, MissingSource, VideoSource
from .locations import dataset_folder

LIST_NAME = "results_10M_val.csv"
"""The official list: columns videoid, contentUrl, duration, page_dir, name."""

_HINT = (
    "The links were withdrawn on 2024-02-23, so nothing can be downloaded: bring your own copy, as "
    f"{LIST_NAME} beside videos/<page_dir>/<videoid>.mp4"
)


class WebVidValDataset(Dataset):
    """The rows of ``results_10M_val.csv``; keys are ``page_dir/videoid``, and a row listed twice counts once."""

    name = "webvid-val"

    def __init__(self, root: Path | None = None):
        self._root = root

    def sources(self) -> list[VideoSource]:
        """The videos that are there, sorted by key.

        Raises:
            DatasetUnavailable: if the list or every video is missing, or the list has other columns.
        """
        present, missing = self._rows()
        if not present:
            raise DatasetUnavailable(f"none of the {len(missing)} videos of {LIST_NAME} is there", _HINT)
        return sorted(present, key=lambda source: source.key)

    def missing(self) -> list[MissingSource]:
        """The rows without a file, and those that name none, sorted by key."""
        return sorted(self._rows()[1], key=lambda source: source.key)

    def _rows(self) -> tuple[list[VideoSource], list[MissingSource]]:
        root = dataset_folder(self.name, self._root, _HINT)
        present: dict[str, VideoSource] = {}
        missing: dict[str, MissingSource] = {}
        for number, row in enumerate(_read_list(root / LIST_NAME), start=1):
            video, page = row["videoid"], row["page_dir"]
            if not video or not page:
                key = video or f"row {number}"
                missing[key] = MissingSource(key, f"{LIST_NAME} gives no {'page_dir' if video else 'videoid'}")
                continue
            key, path = f"{page}/{video}", root / "videos" / page / f"{video}.mp4"
            if path.exists():
                present[key] = VideoSource(key, path)
            else:
                missing[key] = MissingSource(key, f"no file videos/{key}.mp4")
        return list(present.values()), list(missing.values())


def _read_list(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise DatasetUnavailable(f"there is no {file}", _HINT)
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        reader = csv.DictReader(lines)
        absent = {"videoid", "page_dir"} - set(reader.fieldnames or ())
        if absent:
            raise DatasetUnavailable(f"{file} has no column {' and no column '.join(sorted(absent))}", _HINT)
        return [{name: (row[name] or "").strip() for name in ("videoid", "page_dir")} for row in reader]
