"""The most memory that a process has held."""

from __future__ import annotations

from pathlib import Path


def peak_resident_bytes() -> int:
    """Of this Linux process."""
    # ru_maxrss would carry over the parent's peak; VmHWM is this process's own.
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(kilobytes)
