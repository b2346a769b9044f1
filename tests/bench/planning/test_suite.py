from __future__ import annotations

from pathlib import Path

import pytest
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import (
    Suite,
    SuiteError,
    change_suite,
    check_suite,
    load_suite,
    parse_assignments,
    shipped_suites,
)
from toklab.tokenizers.catalog import load_cards
from toklab.tokenizers.interface import InferenceSettings


def test_settings_with_lists_give_every_combination() -> None:
    suite = Suite(
        name="s", datasets=("d",), tokenizers=("t",), metrics=("m",), settings={"seed": [0, 1], "posterior": "sample"}
    )
    assert suite.combinations() == [{"seed": 0, "posterior": "sample"}, {"seed": 1, "posterior": "sample"}]


def test_no_settings_give_one_combination() -> None:
    assert Suite(name="s", datasets=("d",), tokenizers=("t",), metrics=("m",)).combinations() == [{}]


def test_shipped_suites_are_named_like_their_files() -> None:
    assert set(shipped_suites()) >= {"demo", "mcl-jcv", "webvid-val"}


def test_what_table1_measures_isnt_measured_again_for_speed_quality() -> None:
    table1, wider = load_suite("table1"), load_suite("speed-quality")
    assert set(table1.tokenizers) < set(wider.tokenizers)
    shared = ("datasets", "protocol", "protocol_changes", "settings")
    assert [getattr(wider, name) for name in shared] == [getattr(table1, name) for name in shared]
    assert set(wider.tokenizers) <= set(load_cards())


def test_labels_leave_out_settings_without_effect_and_identities_keep_them() -> None:
    names = ("h264-32768", "bicubic-4chn", "vidtok-tiny-fsq-32768", "vidtok-tiny-kl-4chn")
    settings = {"posterior": "sample", "seed": 42, "precision": "bfloat16"}
    suite = Suite(name="s", datasets=("sample",), tokenizers=names, metrics=("psnr",), settings=dict(settings))
    cells = plan_cells(suite)
    assert [cell.label for cell in cells] == [
        "h264-32768",
        "bicubic-4chn (precision=bfloat16)",
        "vidtok-tiny-fsq-32768 (precision=bfloat16)",
        "vidtok-tiny-kl-4chn (posterior=sample,seed=42,precision=bfloat16)",
    ]
    assert {cell.settings.hash for cell in cells} == {InferenceSettings.from_mapping(settings).hash}


def test_settings_without_effect_give_one_cell() -> None:
    names = ("bicubic-4chn", "vidtok-tiny-kl-4chn")
    suite = Suite(name="s", datasets=("sample",), tokenizers=names, metrics=("psnr",), settings={"seed": [1, 0]})
    assert [(cell.tokenizer, cell.settings.seed) for cell in plan_cells(suite)] == [
        ("bicubic-4chn", 1),
        ("vidtok-tiny-kl-4chn", 1),
        ("vidtok-tiny-kl-4chn", 0),
    ]


def test_a_suite_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(SuiteError, match=r"own\.toml is not UTF-8"):
        load_suite(str(tmp_path / "own.toml"))


def test_a_setting_that_is_given_twice_is_refused() -> None:
    assert parse_assignments(["seed=0,1", "posterior=mode"]) == {"seed": [0, 1], "posterior": "mode"}
    with pytest.raises(SuiteError, match=r"seed is given twice.*seed=0,1"):
        parse_assignments(["seed=0", "seed=1"])


def test_an_unknown_suite_gets_a_near_name() -> None:
    with pytest.raises(SuiteError, match="did you mean mcl-jcv"):
        load_suite("mcl-jvc")


@pytest.mark.parametrize(("text", "named"), [("name = ", "valid TOML"), ('name = "x"\ncolour = 1', "colour")])
def test_a_wrong_suite_file_names_file_and_field(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SuiteError, match=named) as caught:
        load_suite(str(path))
    assert "own.toml" in str(caught.value)


def test_radar_scales_have_two_ends() -> None:
    facts = {"name": "s", "datasets": ["d"], "tokenizers": ["t"], "metrics": ["psnr"]}
    assert check_suite({**facts, "radar_scales": {"psnr": [20, 30.5]}}, "s").radar_scales == {"psnr": [20.0, 30.5]}
    for ends in ([20], [20, 20], [20, float("nan")], [1, 2, 3]):
        with pytest.raises(SuiteError, match="radar_scales: psnr must have two different ends, the worst and the best"):
            check_suite({**facts, "radar_scales": {"psnr": ends}}, "s")


def test_the_demo_sets_the_scale_of_every_radar_axis_that_it_can_measure() -> None:
    demo = shipped_suites()["demo"]
    assert set(demo.radar_scales) == set(demo.radar) - {"lpips-vgg", "fvd-i3d"}


def test_assignments_know_numbers_booleans_and_lists() -> None:
    parsed = parse_assignments(["steps=1,2,4", "eta=0.5", "tile=true", "posterior=sample"])
    assert parsed == {"steps": [1, 2, 4], "eta": 0.5, "tile": True, "posterior": "sample"}


def test_an_assignment_without_equals_is_refused() -> None:
    with pytest.raises(SuiteError, match="name=value"):
        parse_assignments(["steps"])


def test_a_changed_suite_keeps_its_title_only_where_that_still_holds() -> None:
    demo = load_suite("demo")
    assert change_suite(demo, {"metrics": ("psnr",), "datasets": ("sample",)}).title == demo.title
    assert change_suite(demo, {"datasets": ("folder:clips",)}).title == "Suite demo with other datasets"
    both = change_suite(demo, {"settings": {"seed": 1}, "protocol": "cdt"})
    assert both.title == "Suite demo with other protocol, settings"
    with pytest.raises(SuiteError, match="the suite demo: tokenizers must name at least one"):
        change_suite(demo, {"tokenizers": ()})
