import csv
import re
from importlib.resources import files

import pytest
from toklab.reports.published.literature import (
    other_results,
    vidtok_table1,
    vidtok_variants,
    with_published,
)
from toklab.reports.schema import TableError, check_figures
from toklab.reports.tables.table import build_table


@pytest.fixture(scope="module")
def table1():
    return vidtok_table1()


def _rows(name):
    return list(csv.DictReader(files("toklab.reports.published").joinpath(name).read_text().splitlines()))


def test_table1_holds_every_printed_figure(table1):
    printed = [
        value for row in _rows("vidtok_table1.csv") for name, value in row.items() if re.match("params|mcl|web", name)
    ]
    shown = [f"{figure.value:.{figure.decimals}f}" for figure in table1]
    assert shown == [value for value in printed if value]


@pytest.mark.parametrize("load", [vidtok_table1, vidtok_variants, other_results])
def test_every_figure_is_marked_and_has_its_source(load):
    figures = load()
    check_figures(figures)
    assert figures
    assert all(figure.origin == "published" and figure.citation for figure in figures)


def test_metrics_are_matched_only_where_the_convention_is_known(table1):
    metrics = {figure.title: figure.metric for figure in table1}
    assert metrics["PSNR"] == "psnr"
    assert metrics["SSIM"] == "ssim"
    assert metrics["LPIPS"] == "lpips-vgg"
    assert metrics["FVD"] == "fvd-unstated"
    assert {figure.metric for figure in other_results()} == {
        "psnr-unstated", "ssim-unstated", "lpips-unstated", "fvd-unstated", "codebook-utilization",
    }  # fmt: skip


def test_the_protocol_is_known_only_by_its_hash():
    figures = vidtok_table1({"vidtok": "0123456789ab"})
    keys = {figure.system: figure.protocol_key for figure in figures if figure.dataset == "mcl-jcv"}
    assert keys["VidTok"] == ("vidtok", "0123456789ab")
    assert keys["MAGVIT-v2"] == ("of its own paper, 17x360x640", "")


def test_groups_follow_the_regularizer(table1):
    groups = {figure.regularizer: figure.group for figure in table1}
    assert groups["LFQ - 262,144"] == groups["VQ - 8,192"] == groups["FSQ - 64,000"] == "discrete"
    assert groups["KL - 4chn"] == "continuous-4"
    assert groups["AE - 16chn"] == "continuous-16"
    by_label = {figure.label: figure.group for figure in (*vidtok_variants(), *other_results())}
    assert by_label["VidTok KL - 4chn (4x16x16, not causal; Table 5)"] == "continuous-4-4x16x16"
    assert by_label["VidTok KL - 4chn (4x8x8, not causal; Table 5)"] == "continuous-4"
    assert by_label["Cosmos-DV FSQ 8x16x16 (0.1)"] == "discrete-8x16x16"


def test_parameters_in_other_units_say_so(table1):
    notes = {f.system: f.note for f in table1 if f.metric == "params" and f.note}
    assert set(notes) == {"OmniTokenizer", "Cosmos-DV", "CogVideoX"}


def test_published_rows_come_for_the_measured_datasets_only(figure, table1):
    both = with_published([figure(dataset="webvid-val", value=30.0)], table1)
    assert {f.dataset for f in both} == {"webvid-val", ""}
    assert "MAGVIT-v2" not in {f.system for f in both}
    alone = with_published([figure(dataset="sample", value=30.0)], table1)
    assert len(alone) == 1


def test_the_same_published_figures_twice_are_refused(figure, table1):
    with pytest.raises(TableError, match="twice"):
        with_published([figure(dataset="mcl-jcv", value=30.0)], [*table1, *table1])


def test_doubtful_figures_say_why_and_who_says_so():
    figures = [figure for figure in other_results() if figure.dataset == "tokenbench"]
    doubtful = [figure for figure in figures if "uint8 fix" in figure.note]
    assert {figure.metric for figure in doubtful} == {"psnr-unstated"}
    assert [figure for figure in figures if figure.metric == "psnr-unstated"] == doubtful
    assert len(doubtful) == 10
    assert all("NVlabs/TokenBench pull request 3" in figure.note for figure in doubtful)
    table = build_table(doubtful[:1])
    assert any("possibly too high by 1 to 6 dB" in note.text for note in table.footnotes)
    davis = [figure for figure in other_results() if figure.dataset == "davis" and "Cosmos" in figure.system]
    assert any("uint8 fix" in figure.note for figure in davis)


def test_the_lpips_of_wf_vae_says_which_network_made_it():
    figures = [f for f in other_results() if f.system == "WF-VAE" and f.metric == "lpips-unstated"]
    of_paper = [figure for figure in figures if "report.pdf" in figure.citation]
    assert len(of_paper) == 9
    assert all("0.0788 with VGG" in figure.note for figure in of_paper)
    assert not any("0.0788 with VGG" in figure.note for figure in figures if figure not in of_paper)
