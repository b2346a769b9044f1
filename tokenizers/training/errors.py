"""What goes wrong in a training."""

from __future__ import annotations


class TrainingError(ValueError):
    """A recipe, a checkpoint or data that a training can't use; the message names it and the hint."""
