"""What every measured job counts alike, from its first record to its last commit."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.processes import cpu_seconds, peak_rss_mib

# How often the clock is looked at; far rarer than a record.
_LOOK_EVERY = 500


def arguments() -> dict[str, Any]:
    """The job's parameters: one JSON argument."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def write_result(path: str, result: dict[str, Any]) -> None:
    """Leaves the job's result where the driver looks for it."""
    Path(path).write_text(json.dumps(result))


class Meter:
    """Counts records and takes CPU times from the first record to the end.

    A handler adds to `count` and calls `look` when it has reached `next_look`:
    at the first record, and then every few hundred. So every leg pays the same
    for being measured.
    """

    def __init__(self, target: int, max_seconds: float, watched: dict[str, int]) -> None:
        self.count = 0
        self.next_look = 1
        self.commits = 0
        self._target = target
        self._max_seconds = max_seconds
        self._watched = watched
        self._began = 0.0
        self._own_cpu = 0.0
        self._cpu: dict[str, float] = {}

    def look(self) -> bool:
        """Whether this was the last record."""
        if not self._began:
            self._cpu = {name: cpu_seconds(pid) for name, pid in self._watched.items()}
            self._own_cpu = time.process_time()
            self._began = time.monotonic()
        self.next_look = min(self.count + _LOOK_EVERY, self._target)
        if self.count >= self._target:
            return True
        return bool(self._max_seconds) and time.monotonic() - self._began >= self._max_seconds

    def end(self) -> dict[str, Any]:
        """Call it when the commit of the last record has been confirmed."""
        ended = time.monotonic()
        cpu = {"job": time.process_time() - self._own_cpu}
        for name, pid in self._watched.items():
            cpu[name] = cpu_seconds(pid) - self._cpu[name]
        rss = {name: peak_rss_mib(pid) for name, pid in self._watched.items()}
        rss["job"] = peak_rss_mib("self")
        return {"count": self.count, "began": self._began, "ended": ended, "seconds": ended - self._began,
                "cpu": cpu, "rss": rss}
