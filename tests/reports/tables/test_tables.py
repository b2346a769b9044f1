from dataclasses import replace

import pytest
from toklab.reports.published.literature import vidtok_table1, with_published
from toklab.reports.tables.table import Intervals, build_table


def _cell(table, tokenizer, metric):
    column = next(i for i, column in enumerate(table.columns) if column.metric == metric)
    rows = [row for section in table.sections for row in section.rows if row.source.tokenizer == tokenizer]
    return rows[0].cells[column]


def _notes(table, marks):
    return [note.text for note in table.footnotes if note.mark in marks]


def test_the_rebuilt_table1_has_the_papers_shape_and_no_ranks():
    table = build_table(vidtok_table1())
    assert [section.title for section in table.sections] == [
        "Discrete", "Continuous, 4 channels", "Continuous, 16 channels",
    ]  # fmt: skip
    assert [column.heading for column in table.columns[:5]] == [
        "Params (M) ↓",
        "PSNR (dB) ↑",
        "SSIM ↑",
        "LPIPS ↓",
        "FVD ↓",
    ]
    assert [column.group.dataset for column in table.columns] == [""] + ["mcl-jcv"] * 4 + ["webvid-val"] * 4
    # Without windows nobody can say which published figures differ.
    assert not any(cell.rank for section in table.sections for row in section.rows for cell in row.cells)


def test_a_figure_under_another_protocol_is_marked():
    table = build_table(vidtok_table1())
    # MAGVIT-v2's LPIPS of 0.104 is the group's smallest, but is measured at another size.
    foreign = _cell(table, "MAGVIT-v2 LFQ - 262,144", "lpips-vgg")
    assert "17x360x640" in _notes(table, foreign.marks)[0]


def test_published_figures_are_marked_and_leave_the_ranks_to_measured_ones(figure):
    ours = [
        figure(tokenizer=name, dataset="mcl-jcv", value=value, protocol_hash="aa", rank=rank, rank_low=low, rank_high=2)
        for name, value, rank, low in (("a", 20.0, "second", 2), ("b", 21.0, "best", 1))
    ]
    ours.append(figure(tokenizer="b", dataset="mcl-jcv", metric="fvd-i3d", value=300.0, protocol_hash="aa"))
    table = build_table(with_published(ours, vidtok_table1({"vidtok": "aa"})))
    assert _cell(table, "b", "psnr").rank == "best"
    assert _cell(table, "a", "psnr").rank == "second"
    assert _cell(table, "VidTok KL - 4chn", "psnr").rank == ""
    assert _cell(table, "VidTok KL - 4chn", "psnr").marks == ()
    published = [row for section in table.sections for row in section.rows if row.source.origin == "published"]
    assert all("Table 1" in _notes(table, row.marks)[0] for row in published)
    fvd = _cell(table, "VidTok KL - 4chn", "fvd-i3d")
    assert "doesn't state its convention" in _notes(table, fvd.marks)[0]
    assert fvd.marks[0] in "†‡§¶‖"


def test_published_figures_without_the_protocols_hash_are_foreign(figure):
    ours = [figure(dataset="mcl-jcv", value=20.0)]
    table = build_table(with_published(ours, vidtok_table1()))
    assert "protocol vidtok (no hash)" in _notes(table, _cell(table, "VidTok KL - 4chn", "psnr").marks)[0]


def test_two_protocol_hashes_never_share_a_column(figure):
    rows = [
        figure(tokenizer="a", value=20.0, protocol_hash="aa"),
        figure(tokenizer="b", value=21.0, protocol_hash="bb"),
    ]
    table = build_table(rows)
    assert [column.group.title for column in table.columns] == ["sample (vidtok aa)", "sample (vidtok bb)"]
    assert [cell.text for row in table.sections[0].rows for cell in row.cells] == ["20.00", "–", "–", "21.00"]
    assert not any(cell.rank for row in table.sections[0].rows for cell in row.cells)


def test_across_protocols_marks_every_foreign_figure(figure):
    best = {"rank": "best", "rank_low": 1, "rank_high": 2}
    rows = [
        figure(tokenizer="a", value=20.0, protocol_hash="aa", **best),
        figure(tokenizer="c", value=19.0, protocol_hash="aa", **best),
        figure(tokenizer="a", value=30.0, protocol_hash="bb", **best),
        figure(tokenizer="b", value=31.0, protocol_hash="bb", **best),
    ]
    table = build_table(rows, across_protocols=True)
    assert len(table.columns) == 1
    cells = {(row.title, row.cells[0].text): row.cells[0] for row in table.sections[0].rows}
    assert len(cells) == 4
    for (_, text), cell in cells.items():
        assert bool(cell.marks) == (float(text) >= 30)
        assert (cell.rank == "") == (float(text) >= 30)
    assert "protocol vidtok (bb)" in table.footnotes[0].text


def test_across_protocols_a_row_keeps_to_one_of_two_protocols_of_one_name(figure):
    rows = [
        figure(metric=metric, value=value, protocol_hash=digest)
        for metric, value, digest in (("psnr", 1, "aa"), ("psnr", 2, "bb"), ("ssim", 3, "aa"), ("ssim", 4, "bb"))
    ]
    table = build_table(rows, across_protocols=True)
    found = [[cell.figure and cell.figure.protocol_hash for cell in row.cells] for row in table.sections[0].rows]
    assert found == [["aa", "aa"], ["bb", "bb"]]


def test_unavailable_figures_say_what_brings_them(figures):
    table = build_table(figures)
    cell = _cell(table, "bicubic-4chn", "lpips-vgg")
    assert cell.text == "n/a"
    assert _notes(table, cell.marks)[0].endswith("to measure it: toklab weights pull lpips-vgg")


def test_random_weights_and_settings_are_in_the_row_title(figure):
    rows = [
        figure(tokenizer="t", label="t (posterior=sample)", weights="random (seed 0)", system="VidTok", value=1.0),
        figure(tokenizer="u", system="VidTok", value=2.0),
        figure(tokenizer="w", system="VidTok", value=3.0),
    ]
    table = build_table(rows)
    titles = [row.title for row in table.sections[0].rows]
    assert titles == ["VidTok (random weights) (posterior=sample)", "VidTok u", "VidTok w"]
    assert "not trained" in _notes(table, table.sections[0].rows[0].marks)[0]


def test_the_caption_counts_and_fewer_windows_are_marked(figures):
    fewer = [replace(f, count=391) if f.tokenizer == "bicubic-4chn" and f.metric == "psnr" else f for f in figures]
    table = build_table(fewer)
    assert "sample, protocol vidtok (0123456789ab): N = 408 frames (PSNR, SSIM, Flicker)" in table.caption
    assert _notes(table, _cell(table, "bicubic-4chn", "psnr").marks) == ["rests on 391 of 408 frames"]
    assert _cell(table, "bicubic-4chn", "ssim").marks == ()


@pytest.mark.parametrize(("style", "text"), [("none", ""), ("half-width", "±0.50"), ("ends", "[25.43, 26.43]")])
def test_intervals_are_printed_as_asked(figures, style, text):
    assert _cell(build_table(figures, intervals=style), "bicubic-4chn", "psnr").interval == text


def test_two_conventions_measured_stand_in_two_columns(figure):
    rows = [figure(value=30.0), replace(figure(value=29.0), metric="psnr-clip")]
    table = build_table(rows)
    assert [column.title for column in table.columns] == ["psnr", "psnr-clip"]


def test_an_empty_table_has_no_sections():
    table = build_table([])
    assert table.sections == table.columns == ()


def test_the_caption_says_what_ranks_and_intervals_rest_on(figure):
    among = {"rank_low": 1, "rank_high": 2, "family": "2 systems, 1 pair, 12 videos, 12 windows", "num_sources": 12}
    rows = [
        figure(tokenizer="a", value=20.0, count=12, counted="clips", rank="best", **among),
        figure(tokenizer="b", value=19.0, count=12, counted="clips", **among),
        figure(tokenizer="c", value=18.0, count=4, counted="clips", num_sources=4, family="not ranked: 4 videos"),
    ]
    table = build_table(rows)
    assert "N = 4 to 12 videos: 12 clips (PSNR)." in table.caption
    assert "Continuous, 4 channels: 2 systems, 1 pair, 12 videos, 12 windows (PSNR)" in table.caption
    (cell,) = [row.cells[0] for row in table.sections[0].rows if row.source.tokenizer == "c"]
    assert cell.rank == ""
    assert "PSNR: not ranked: 4 videos" in _notes(table, cell.marks)
    few = build_table([figure(value=20.0, num_sources=4, count=4, counted="clips")])
    assert "N = 4 videos, too few for intervals and ranks: 4 clips (PSNR)." in few.caption
    assert "Bold" not in few.caption


def test_an_interval_that_is_a_point_is_not_printed(figure):
    table = build_table([figure(value=0.29412, low=0.29412, high=0.29412)], intervals="ends")
    assert _cell(table, "model", "psnr").interval == ""


def test_interval_ends_are_rounded_outwards_and_noted(figure):
    row = figure(value=20.004, low=19.231, high=21.001, interval_note="carried by few videos")
    expected: dict[Intervals, str] = {"ends": "[19.23, 21.01]", "half-width": "±0.89"}
    for intervals, text in expected.items():
        table = build_table([row], intervals=intervals)
        assert table.sections[0].rows[0].cells[0].interval == text
        assert table.footnotes[0].text == "PSNR: carried by few videos"
    assert not build_table([row]).footnotes


def _speed(figure, tokenizer, count, **values):
    counted = {"count": count, "counted": "repetitions", "num_sources": 0}
    timing = {"metric": "latency", "title": "Latency", "unit": "s", "direction": "lower", "decimals": 2}
    return replace(figure(tokenizer=tokenizer), **timing, **counted, **values)


def test_speeds_share_one_line_and_no_footnote(figure):
    rows = [
        _speed(figure, "a", 12, value=1.0, low=0.9, high=1.1, lowest=0.8, highest=1.3, correlation=-0.214),
        _speed(figure, "b", 30, value=2.0, low=1.9, high=2.1, lowest=1.8, highest=2.3, correlation=0.1),
        _speed(figure, "c", 4, value=3.0, lowest=2.5, highest=3.5, interval_note="no interval with fewer than 6"),
    ]
    line = "Speeds: median of 4 to 30 repetitions; correlation of neighbouring ones, from 10 on: −0.21 to 0.10."
    table = build_table(rows)
    assert line in table.caption
    assert table.footnotes == ()
    with_ends = build_table(rows, intervals="ends")
    assert line in with_ends.caption
    assert "the choice of videos alone, and of a speed the repetitions alone." in with_ends.caption
    shown = {name: _cell(with_ends, name, "latency") for name in "abc"}
    assert [cell.interval for cell in shown.values()] == ["[0.90, 1.10]", "[1.90, 2.10]", "(2.50 to 3.50)"]
    assert _notes(with_ends, shown["c"].marks) == ["Latency: no interval with fewer than 6"]
    assert "Speeds" not in build_table([figure(value=20.0)]).caption


def test_one_repetition_is_said_so(figure):
    assert "Speeds: median of 1 repetition." in build_table([_speed(figure, "a", 1, value=1.0)]).caption
