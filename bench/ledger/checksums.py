"""What the ledger's records are checked with: a CRC each, and a count and digest of all that belong together."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

DIGEST_BYTES = 16
MODULUS = 1 << (8 * DIGEST_BYTES)


def encode(header: bytes, values: Sequence[Any]) -> bytes:
    """Values of a row as bytes, the same before and after SQLite kept them.

    SQLite keeps a float without a fraction as an integer, and what isn't a number as nothing: both are encoded alike.

    Args:
        header: names of the columns.
        values: text, bytes, numbers or ``None``.

    Raises:
        TypeError: if a value is of a type that SQLite doesn't keep.
    """
    parts = [header]
    for value in values:
        if isinstance(value, str):
            text = value.encode()
            parts += (b"s%d:" % len(text), text)
        elif isinstance(value, bytes):
            parts += (b"b%d:" % len(value), value)
        elif value is None or value != value:
            parts.append(b"n")
        elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            parts.append(b"i%d:" % int(value))
        elif isinstance(value, float):
            parts.append(b"f%s:" % float.hex(value).encode())
        else:
            raise TypeError(f"a value of type {type(value).__name__} can't be kept in a ledger")
    return b"".join(parts)


def crc(encoded: bytes) -> int:
    """CRC-32 of an encoded row."""
    return zlib.crc32(encoded)


@dataclass(frozen=True)
class Total:
    """How many rows belong together, and a digest of them that doesn't depend on their order."""

    count: int = 0
    digest: int = 0
    """Sum of the rows' hashes modulo 2^128, so that a row can be added and taken away."""

    @classmethod
    def of(cls, encoded: bytes) -> Total:
        """The total of one encoded row."""
        return cls(1, int.from_bytes(hashlib.blake2b(encoded, digest_size=DIGEST_BYTES).digest(), "big"))

    def __add__(self, other: Total) -> Total:
        return Total(self.count + other.count, (self.digest + other.digest) % MODULUS)

    def __sub__(self, other: Total) -> Total:
        return Total(self.count - other.count, (self.digest - other.digest) % MODULUS)


def file_digest(file: IO[bytes]) -> str:
    """Digest of a whole file, from where it is read to its end."""
    return hashlib.file_digest(cast(Any, file), lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
