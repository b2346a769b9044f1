"""A page of very many videos stays small, shows a sample of them, and says so."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd
from figure_builder import PROTOCOL_HASH
from page_reports import made_figures, made_report
from toklab.reports.formats.interface import VIDEO_COLUMNS
from toklab.reports.formats.page.content import MOST_VIDEO_FIGURES
from toklab.reports.formats.page.page import PAGE, report_files

NUM_SYSTEMS, NUM_VIDEOS = 20, 5_000


def test_videos_are_sampled_by_their_names() -> None:
    figures = made_figures(NUM_SYSTEMS)
    lines = [
        (figure.label, figure.dataset, PROTOCOL_HASH, figure.metric, (f"video{video:05}.mp4",), figure.value + video)
        for figure in figures
        if figure.metric == "psnr"
        for video in range(NUM_VIDEOS)
    ]
    report = replace(made_report(figures), videos=pd.DataFrame(lines, columns=pd.Index(VIDEO_COLUMNS)))
    page = report_files(report)[PAGE]
    assert isinstance(page, str)
    assert len(page) < 6_000_000
    (videos,) = json.loads(re.findall(r'"videos":\s*(\[\{.*?\}\]),\s*"clips"', page, re.DOTALL)[0])
    assert videos["of"] == NUM_VIDEOS
    assert len(videos["files"]) == MOST_VIDEO_FIGURES // NUM_SYSTEMS
    by_row = list(videos["values"].values())
    assert len(by_row) == NUM_SYSTEMS
    # The figures stand beside the videos that they are of.
    numbers = [int(name[5:10]) for (name,) in videos["files"]]
    (values,) = by_row[0].values()
    assert len({round(value - number, 3) for value, number in zip(values, numbers, strict=True)}) == 1
