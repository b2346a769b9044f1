"""A report format: every figure as a JSON object on a line of its own."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isnan

from toklab.reports.formats.interface import Report


def report_files(report: Report) -> Mapping[str, str | bytes]:
    """``figures.jsonl``: all fields of each figure; a number that isn't there is ``null``."""
    lines = []
    for figure in report.figures:
        fields = asdict(figure)
        lines.append({name: None if isinstance(v, float) and isnan(v) else v for name, v in fields.items()})
    return {"figures.jsonl": "".join(json.dumps(line) + "\n" for line in lines)}
