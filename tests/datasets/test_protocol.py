"""Protocols as values: hash, names, derived ones and errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from toklab.datasets.folder import FolderDataset
from toklab.datasets.mcl_jcv import MclJcvDataset
from toklab.datasets.protocol import Protocol, ProtocolError, load_protocol, protocol_names

VIDTOK = load_protocol("vidtok")


def test_every_shipped_protocol_loads_under_its_name() -> None:
    assert {"vidtok", "vidtok-long"} <= set(protocol_names())
    loaded = [load_protocol(name) for name in protocol_names()]
    assert [protocol.name for protocol in loaded] == protocol_names()
    assert len({protocol.hash for protocol in loaded}) == len(loaded)


def test_hash_depends_on_every_field_but_the_name() -> None:
    assert VIDTOK.model_copy(update={"name": "other"}).hash == VIDTOK.hash
    changes = {
        "sample_fps": 15,
        "max_frames": 17,
        "chunk_size": 8,
        "stride": 4,
        "tail": "drop",
        "subsampling": 2,
        "height": 32,
        "width": 32,
        "resize": "exact",
        "resize_filter": "bicubic",
        "antialias": False,
        "crop": "top-left",
        "round_to_uint8": True,
        "colour_matrix": "bt709",
        "feature_frames": 16,
    }
    assert {*changes, "name", "long_video", "size_multiple"} == set(Protocol.model_fields)
    derived = [VIDTOK.derive(**{field: value}).hash for field, value in changes.items()]
    derived.append(VIDTOK.derive(long_video=True, tail="drop").hash)
    derived.append(VIDTOK.derive(size_multiple=8, height=None, width=None, resize="none").hash)
    assert len({VIDTOK.hash, *derived}) == len(Protocol.model_fields)


def test_hash_is_pinned() -> None:
    """Ledgers keep it: a change here makes every kept figure foreign."""
    assert (VIDTOK.hash, load_protocol("vidtok-long").hash) == ("65e5536cac77", "06cfeb36d1fb")
    rates = [load_protocol(name).hash for name in ("vidtok-half-rate", "vidtok-quarter-rate")]
    assert rates == ["891b89a5038f", "635fee52db9b"]
    assert load_protocol("vidtok-long-clips").hash == load_protocol("vidtok-long").derive(feature_frames=16).hash
    assert load_protocol("tokenbench").hash == "56663d914664"
    hashes = {name: load_protocol(name).hash for name in ("cdt", "cdt-720", "cdt-image")}
    assert hashes == {"cdt": "4768deb1c6c2", "cdt-720": "feb0cdab3306", "cdt-image": "2a847d696010"}


@pytest.mark.parametrize("name", ["vidtok", "vidtok-long", "cdt"])
@pytest.mark.parametrize("subsampling", [2, 4])
def test_subsampling_keeps_frames_of_the_same_windows(name: str, subsampling: int) -> None:
    whole = load_protocol(name)
    subsampled = whole.derive(subsampling=subsampling)
    for causal in (True, False):
        expected = [window.frame_ids[::subsampling] for window in whole.windows(70, 30, causal=causal)]
        windows = subsampled.windows(70, 30, causal=causal)
        assert [window.frame_ids for window in windows] == expected
        if not whole.long_video:
            assert {len(window.frame_ids) for window in windows} == {subsampled.window_length(causal=causal)}


def test_derived_names_tell_what_changed() -> None:
    assert VIDTOK.derive(height="32", width=32).name == "vidtok[height=32,width=32]"
    assert VIDTOK.derive(sample_fps=8, antialias="false").name == "vidtok[sample_fps=8,antialias=false]"
    assert VIDTOK.derive(sample_fps="29.97", max_frames=9).name == "vidtok[sample_fps=29.97,max_frames=9]"
    assert VIDTOK.derive(height=256) is VIDTOK
    assert VIDTOK.derive(height="32").hash == VIDTOK.derive(height=32).hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hight": 32}, r"no field 'hight' \(did you mean height\?\)"),
        ({"xyzzy": 1}, "no field 'xyzzy'$"),
        ({"chunk_size": -1}, "chunk_size: .*greater than or equal to 0"),
        ({"name": "mine"}, "no field 'name'"),
        ({"height": "tall"}, "height: .*integer"),
        ({"height": 0}, "height: .*greater than 0"),
        ({"tail": "reflect"}, "'repeat' or 'drop'"),
        ({"long_video": True}, "long_video takes tail"),
        ({"long_video": True, "tail": "drop", "stride": 4}, "long_video takes tail"),
        ({"long_video": True, "tail": "drop", "chunk_size": 0}, "chunk_size of at least 1"),
        ({"height": None}, "give height and width, or size_multiple"),
        ({"width": None}, "give height and width, or size_multiple"),
        ({"size_multiple": 8}, "neither height nor width"),
        ({"size_multiple": 8, "height": None, "width": None}, 'takes resize = "none"'),
        ({"size_multiple": 8, "height": None, "resize": "none"}, "neither height nor width"),
        ({"resize_filter": "lanczos", "antialias": False}, "antialias = true"),
        ({"sample_fps": "slow"}, "'native'"),
        ({"sample_fps": float("inf")}, "sample_fps: .*finite"),
    ],
)
def test_wrong_changes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        VIDTOK.derive(**changes)


def test_an_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(
        ProtocolError, match=r"no protocol 'vidtock' \(did you mean vidtok or vidtok-long\?\); toklab ships"
    ):
        load_protocol("vidtock")
    with pytest.raises(ProtocolError, match=r"no protocol 'vidxx' \(did you mean vidtok\?\)"):
        load_protocol("vidxx")
    with pytest.raises(ProtocolError, match=r"no protocol 'vidxxxx'; toklab ships cdt, .*path of a \.toml file"):
        load_protocol("vidxxxx")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for key, value in VIDTOK
        if value is not None
    ]
    file.write_text("\n".join(lines))
    assert load_protocol(file) == load_protocol(str(file)) == VIDTOK
    file.write_text("\n".join([*lines[1:], "xyzzy = 1"]))
    with pytest.raises(
        ProtocolError,
        match=r"the field name is missing; 'xyzzy' is no field of a protocol; there are: name, sample_fps, ",
    ):
        load_protocol(file)
    file.write_text("\n".join([*lines, "colour = 1"]))
    with pytest.raises(
        ProtocolError, match=r"mine\.toml: 'colour' is no field of a protocol \(did you mean colour_matrix"
    ):
        load_protocol(file)
    file.write_text("not toml")
    with pytest.raises(ProtocolError, match=r"mine\.toml is not valid TOML"):
        load_protocol(file)
    file.write_bytes(b"name = '\xe9'")
    with pytest.raises(ProtocolError, match=r"mine\.toml can't be read as TOML"):
        load_protocol(file)
    with pytest.raises(ProtocolError, match="no protocol file"):
        load_protocol(tmp_path / "absent.toml")


def test_a_protocol_is_a_frozen_value_that_pickles() -> None:
    with pytest.raises(ValidationError):
        VIDTOK.height = 32  # pyright: ignore[reportAttributeAccessIssue]
    assert pickle.loads(pickle.dumps(VIDTOK)) == VIDTOK
    assert load_protocol("vidtok") == VIDTOK


def test_a_datasets_colour_matrix_joins_the_protocol_unless_it_has_its_own() -> None:
    there = VIDTOK.on(MclJcvDataset)
    assert (there.name, there.colour_matrix) == ("vidtok", "bt709")
    assert there.hash == VIDTOK.derive(colour_matrix="bt709").hash != VIDTOK.hash
    own = VIDTOK.derive(colour_matrix="bt601")
    assert own.on(MclJcvDataset) == own
    assert VIDTOK.on(FolderDataset) == VIDTOK


def test_clips_have_the_protocols_size_or_that_of_their_frames_but_for_a_rest() -> None:
    assert VIDTOK.derive(height=32, width=64).clip_size(7, 9) == (32, 64)
    pictures = load_protocol("cdt-image")
    assert [pictures.clip_size(*size) for size in ((17, 30), (8, 16), (33, 9))] == [(16, 24), (8, 16), (32, 8)]
    for size in ((7, 30), (30, 7)):
        with pytest.raises(
            ValueError, match=f"frames of {size[0]}×{size[1]} pixels are smaller than size_multiple = 8"
        ):
            pictures.clip_size(*size)


@pytest.mark.parametrize(("fps", "subsampling", "expected"), [(25, 1, 25), (60, 1, 30), (60, 2, 15), (24, 2, 12)])
def test_clips_have_the_rate_of_the_frames_that_are_taken(fps: float, subsampling: int, expected: float) -> None:
    assert VIDTOK.derive(subsampling=subsampling).sampled_fps(fps) == expected
    assert VIDTOK.derive(subsampling=subsampling, sample_fps="native").sampled_fps(fps) == fps / subsampling
