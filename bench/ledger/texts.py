"""A column of texts, of which few are different."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of texts, each different one kept once."""

    codes: np.ndarray
    """(rows,) int32, which of ``values`` each row has."""
    values: tuple[str, ...]

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Texts:
        """An Arrow column of text."""
        chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
        encoded = chunked.dictionary_encode().unify_dictionaries().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):  # nothing in it
            return cls(np.zeros(0, np.int32), ())
        return cls(np.asarray(encoded.indices, np.int32), tuple(encoded.dictionary.to_pylist()))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.values[self.codes[row]]

    def take(self, rows: np.ndarray) -> Texts:
        """Some of the rows."""
        return Texts(self.codes[rows], self.values)

    def are(self, value: str) -> np.ndarray:
        """(rows,) bool, where the text is ``value``."""
        return self.codes == (self.values.index(value) if value in self.values else -1)

    def present(self) -> list[str]:
        """The texts that rows have, sorted."""
        return sorted(self.values[code] for code in np.unique(self.codes))

    def ranks(self) -> np.ndarray:
        """(rows,) int64, the place of each row's text among all texts, sorted."""
        order = sorted(range(len(self.values)), key=self.values.__getitem__)
        places = np.empty(len(self.values), np.int64)
        places[order] = np.arange(len(order))
        return places[self.codes] if len(order) else np.zeros(0, np.int64)
