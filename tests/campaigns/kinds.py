"""The kinds of faults that a campaign tries, in their order."""

from __future__ import annotations

from bit_flips import DamagedRun
from command_lines import RandomCommand
from faults import FaultKind
from process_kills import KilledMerge, KilledRun
from suite_files import MistakenFile

KINDS: tuple[FaultKind, ...] = (KilledRun(), KilledMerge(), DamagedRun(), MistakenFile(), RandomCommand())
