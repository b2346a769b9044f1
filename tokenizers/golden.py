"""What the families' golden modules share: each computes the tensors that a golden folder stores."""

from __future__ import annotations


class UnsupportedGolden(LookupError):
    """A golden of a variant, case or family that doesn't exist here yet."""
