"""The local engine: this process computes one cell after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .open_cell import Finish, OpenCell, RunContext


class LocalEngine:
    """Streams the clips of each cell through its model, here."""

    builds_models = True
    untimed = ""

    def run(self, context: RunContext, cells: Iterable[OpenCell], finish: Finish) -> None:
        """One cell after the other; each is asked for when the one before is finished."""
        for opened in cells:
            if (tokenizer := opened.tokenizer) is not None:
                with context.preparation.stream(
                    opened.cell,
                    opened.windows,
                    causal=opened.spec.causal,
                    skip=opened.evaluation.is_idle,
                    piece_frames=opened.evaluation.piece_frames(tokenizer),
                ) as stream:
                    opened.evaluation.run_stream(tokenizer, stream)
            opened.tokenizer = None
            finish(opened)

    def provenance(self) -> dict[str, Any]:
        """Nothing that the run's own record lacks."""
        return {}

    def close(self) -> None:
        """Nothing works for it."""
