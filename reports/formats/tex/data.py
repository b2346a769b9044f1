"""A chart's points for pgfplots: columns of numbers apart by blanks, which ``\\addplot table`` reads."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ...identity import Identities
from ...text import one_line

SERIES = "series"
"""Column that numbers the systems: the comment lines at the file's beginning name them."""


def pgfplots_data(points: pd.DataFrame, identities: Identities) -> str:
    """The numbers of a table of points; each text column becomes numbers that comments explain.

    ``label`` becomes ``series``. A series is picked by
    ``\\addplot[restrict expr to domain={\\thisrow{series}}{0:0}] table[x=…, y=…] {…}``.
    """
    comments: list[str] = []
    columns: dict[str, list[str]] = {}
    for name in map(str, points.columns):
        values = points[name].tolist()
        heading = SERIES if name == "label" else "".join(char if char.isalnum() else "_" for char in name)
        if all(isinstance(value, int | float) for value in values):
            columns[heading] = [_number(value) for value in values]
            continue
        texts = [one_line(str(value)) for value in values]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        for text, number in numbers.items():
            named = identities[text].short if name == "label" and text in identities else text
            comments.append(f"# {heading} {number}: {named}")
        columns[heading] = [str(numbers[text]) for text in texts]
    rows = [" ".join(row) for row in zip(*columns.values(), strict=True)]
    return "\n".join([*comments, " ".join(columns), *rows, ""])


def _number(value: Any) -> str:
    if isinstance(value, bool):
        # What pgfplots reads.
        return str(int(value))
    return "nan" if isinstance(value, float) and math.isnan(value) else repr(value)
