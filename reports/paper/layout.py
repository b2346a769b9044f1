"""What a reader chooses for the formats that set pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..schema import TableError
from .venues import DEFAULT_VENUE, VENUES


@dataclass(frozen=True)
class PaperLayout:
    """What a reader chose for the formats that set pages."""

    venue: str = DEFAULT_VENUE
    """One of :data:`~.venues.VENUES`."""
    columns: tuple[str, ...] = ()
    """Metrics that the main table has, and that findings and cover look at, in their order; empty: all with figures."""

    def __post_init__(self) -> None:
        if self.venue not in VENUES:
            raise TableError(f"unknown venue {self.venue}; there are: {', '.join(VENUES)}")

    def check(self, metrics: Sequence[str]) -> None:
        """Raise :class:`~..schema.TableError` if a chosen column isn't among the metrics of a report."""
        unknown = [name for name in self.columns if name not in metrics]
        if unknown:
            known = ", ".join(dict.fromkeys(metrics))
            raise TableError(f"no column {', '.join(unknown)} in this report; there are: {known}")
