"""How records become bytes, what their checksums are, and that totals don't depend on the order."""

from __future__ import annotations

import hashlib
import io
import math
import sqlite3
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.bench.ledger.checksums import Total, crc, encode, file_digest

VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=9), st.binary(max_size=9))


def test_the_bytes_of_a_row_are_pinned() -> None:
    """Ledgers keep their checksums: a change here makes every kept record look damaged."""
    values = ["é", b"xyz", None, math.nan, 3, 3.0, -0.0, 0.5, math.inf]
    assert encode(b"a,b", values) == b"a,bs2:\xc3\xa9b3:xyznni3:i3:i0:f0x1.0000000000000p-1:finf:"
    assert crc(b"a,b") == zlib.crc32(b"a,b")
    digest = hashlib.blake2b(b"a,b", digest_size=16).digest()
    assert Total.of(b"a,b") == Total(1, int.from_bytes(digest, "big"))
    assert file_digest(io.BytesIO(b"a,b")) == digest.hex()
    with pytest.raises(TypeError, match="type object can't be kept"):
        encode(b"", [object()])


@settings(max_examples=50)
@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_sqlite_gives_back_what_has_the_same_bytes_and_other_values_have_others(
    one: list[object], other: list[object]
) -> None:
    connection = sqlite3.connect(":memory:")
    marks = ", ".join("?" for _ in one)
    back = connection.execute(f"SELECT {marks}", one).fetchone() if one else ()
    connection.close()
    assert encode(b"h", back) == encode(b"h", one)
    same = [None if value != value else value for value in one] == [None if v != v else v for v in other]
    assert (encode(b"h", one) == encode(b"h", other)) == same


@given(st.lists(st.binary(max_size=4), max_size=6), st.integers(0, 6))
def test_totals_are_sums_that_can_be_taken_apart(encoded: list[bytes], place: int) -> None:
    def total(some: list[bytes]) -> Total:
        return sum(map(Total.of, some), Total())

    whole = total(encoded)
    assert whole == total(encoded[::-1]) == total(encoded[:place]) + total(encoded[place:])
    assert whole - total(encoded[:place]) == total(encoded[place:])
    assert whole.count == len(encoded)
    assert 0 <= whole.digest < 2**128
    assert whole + Total.of(b"more") != whole
