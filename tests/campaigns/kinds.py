"""The kinds of faults that a campaign tries, in their order."""

from __future__ import annotations

from bit_flips import DamagedRun
from command_lines import RandomCommand
from damaged_videos import DamagedLockedVideo, DamagedVideo
from faults import FaultKind
from plugin_faults import HostilePlugin
from process_kills import KilledMerge, KilledRun
from suite_files import MistakenFile
from weight_files import DamagedWeights

KINDS: tuple[FaultKind, ...] = (
    KilledRun(),
    KilledMerge(),
    DamagedRun(),
    DamagedWeights(),
    MistakenFile(),
    RandomCommand(),
    HostilePlugin(),
    DamagedVideo(),
    DamagedLockedVideo(),
)
