"""Tables that stand in a report beside the one of all figures."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .plain import PlainTable, frame_to_csv


@dataclass(frozen=True)
class NamedTable:
    """A table with its caption and its values in full precision."""

    name: str
    """Of its file, without suffix."""
    caption: str
    table: PlainTable
    """As printed."""
    values: pd.DataFrame

    def files(self) -> dict[str, bytes]:
        """``NAME.csv``, its values."""
        return {f"{self.name}.csv": frame_to_csv(self.values).encode()}
