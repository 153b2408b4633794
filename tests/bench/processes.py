"""CPU time and memory of processes, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system seconds of all threads, ended ones included, in steps of a tick."""
    # The name stands in parentheses and may hold anything, spaces too.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_rss_mib(pid: int | str) -> float:
    """The most resident memory since the process began or since `reset_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no VmHWM")


def reset_peak(pid: int) -> None:
    """Starts the peak anew from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
