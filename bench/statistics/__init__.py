"""Pure functions on arrays: intervals, paired differences, ranks, medians, figures of counts."""

from .families import paired_interval
from .intervals import Interval, ratio_interval
from .ranks import Ranking, rank_systems
from .sign_flips import sign_flip_shares

__all__ = ["Interval", "Ranking", "paired_interval", "rank_systems", "ratio_interval", "sign_flip_shares"]
