"""The page as a file: the same from the same report, inert, small, and nothing in it asks for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from page_reports import KEEP_COMMAND, bundled, made_figures, made_report, numbered_clip
from toklab.reports.formats.page import page
from toklab.reports.formats.page.clips import NO_ROOM
from toklab.reports.formats.page.page import BUNDLE, PAGE, escape_json, report_files

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \u2028"


def text_of(files: dict[str, str | bytes], name: str = PAGE) -> str:
    text = files[name]
    assert isinstance(text, str)
    return text


def content_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_json_in_a_page_is_the_value_and_no_markup() -> None:
    escaped = escape_json({"name": HOSTILE})
    assert not set("<>&\u2028") & set(escaped)
    assert json.loads(escaped) == {"name": HOSTILE}


def test_hostile_names_close_nothing() -> None:
    report = made_report(
        made_figures(name=HOSTILE + "{}"), title=HOSTILE, sources=[HOSTILE], provenance=[("x", HOSTILE)]
    )
    text = text_of(report_files(report))
    plain = text_of(report_files(made_report(made_figures())))
    for markup in ("<script", "</script>", "<!--", "<img"):
        assert text.count(markup) == plain.count(markup)
    assert HOSTILE.replace("\u2028", " ") in content_of(text)["title"].replace("\u2028", " ")


def test_the_policy_allows_the_pages_own_script_and_style_alone() -> None:
    text = text_of(report_files(made_report(made_figures())))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#x27;", "'").split("; "))
    for name, pattern in (("script-src", "<script>(.*?)</script>"), ("style-src", "<style>(.*?)</style>")):
        found = re.findall(pattern, text, re.DOTALL)
        assert len(found) == 1
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()}'"
    assert rules["default-src"] == "'none'"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_equal_reports_are_equal_pages(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path, ["system 0", "system 1"])
    for make in (lambda report: report, bundled):
        first, second = (report_files(make(made_report(made_figures(), clips=[clip]))) for _ in range(2))
        assert first == second


def test_a_bundle_has_its_pictures_in_files_and_shows_the_same(tmp_path: Path) -> None:
    report = made_report(made_figures(), clips=[numbered_clip(tmp_path, ["system 0", "system 1"])])
    whole, files = text_of(report_files(report)), report_files(bundled(report))
    text = text_of(files, f"{BUNDLE}/index.html")
    pictures = {name.removeprefix(f"{BUNDLE}/media/"): files[name] for name in files if name.endswith(".webp")}
    assert set(files) == {f"{BUNDLE}/index.html", *(f"{BUNDLE}/media/{name}" for name in pictures)}
    # The reference, and two systems with the frames and the errors of each; the first has no error.
    assert len(pictures) == 4
    for name, picture in pictures.items():
        assert isinstance(picture, bytes)
        assert f'id="media-{name}">{base64.b64encode(picture).decode()}</script>' in whole
    assert "media-" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    in_file, in_folder = content_of(whole), content_of(text)
    assert in_folder.pop("isBundle")
    assert not in_file.pop("isBundle")
    assert in_file == in_folder


def test_what_has_no_room_is_named_and_kept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = []
    for source in ("a.mp4", "b.mp4"):
        (tmp_path / source).mkdir()
        clips.append(numbered_clip(tmp_path / source, ["system 0", "system 1"], source=source))
    report = made_report(made_figures(), clips=clips)
    size = sum(len(text) for text in re.findall(r'id="media-[^>]*>([^<]*)<', text_of(report_files(report))))
    monkeypatch.setattr(page, "MEDIA_LIMIT", size - 1)
    # The second clip has the frames of the first one, so that it takes no room of its own.
    assert [clip.get("reason") for clip in content_of(text_of(report_files(report)))["clips"]] == [NO_ROOM, NO_ROOM]
    monkeypatch.setattr(page, "MEDIA_LIMIT", size)
    assert [clip.get("reason") for clip in content_of(text_of(report_files(report)))["clips"]] == [None, None]


def test_a_clip_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path, ["system 0", "system 1"])
    clip.reconstructions["system 1"].write_bytes(b"no video")
    found = content_of(text_of(report_files(made_report(made_figures(), clips=[clip]))))["clips"][0]
    reasons = {row: system.get("reason", "") for row, system in found["systems"].items()}
    assert sorted(bool(reason) for reason in reasons.values()) == [False, True]
    assert any(reason.startswith("the kept video 1.mkv can't be read") for reason in reasons.values())
    clip.reference.unlink()
    found = content_of(text_of(report_files(made_report(made_figures(), clips=[clip]))))["clips"][0]
    assert found["reason"].startswith("the kept video reference.mkv can't be read")


def test_the_page_holds_every_figure_with_what_stands_behind_it() -> None:
    figures = made_figures()
    content = content_of(text_of(report_files(made_report(figures))))
    columns = {column["metric"]: place for place, column in enumerate(content["columns"])}
    rows = {row["label"]: row for row in content["rows"]}
    for figure in figures:
        cell = rows[figure.label]["cells"][columns[figure.metric]]
        assert cell["value"] == (pytest.approx(figure.value, rel=1e-8) if figure.is_available else None)
        if figure.has_interval:
            assert [cell["low"], cell["high"]] == pytest.approx([figure.low, figure.high], rel=1e-8)
            assert cell["ranks"] == [1, 2]
            assert content["texts"][cell["family"]] == figure.family
    assert content["columns"][columns["lpips-vgg"]]["empty"]
    assert content["columns"][columns["lpips-vgg"]]["hint"] == "toklab weights pull lpips-vgg"
    assert content["keepCommand"] == KEEP_COMMAND
    values = content["videos"][0]["values"]
    place = next(str(index) for index, row in enumerate(content["rows"]) if row["label"] == "system 4")
    psnr = next(figure.value for figure in figures if (figure.label, figure.metric) == ("system 4", "psnr"))
    assert values[place][str(columns["psnr"])] == pytest.approx([psnr, psnr + 0.01], rel=1e-5)


def test_an_interval_that_ends_at_zero_is_kept_and_an_open_one_left_out() -> None:
    ends = {"system 0": (0.0, 1.0), "system 1": (0.0, math.inf)}
    figures = [
        replace(figure, low=ends[figure.label][0], high=ends[figure.label][1]) if figure.metric == "flicker" else figure
        for figure in made_figures(2)
    ]
    content = content_of(text_of(report_files(made_report(figures))))
    place = next(place for place, column in enumerate(content["columns"]) if column["metric"] == "flicker")
    cells = {row["label"]: row["cells"][place] for row in content["rows"]}
    assert (cells["system 0"]["low"], cells["system 0"]["high"]) == (0.0, 1.0)
    assert not {"low", "high"} & set(cells["system 1"])


def test_a_hundred_systems_on_thirty_videos_take_less_than_six_megabytes() -> None:
    report = made_report(
        made_figures(100), sources=[f"a video with a rather long name {number}.mp4" for number in range(30)]
    )
    assert len(text_of(report_files(report)).encode()) < 6 * 2**20
