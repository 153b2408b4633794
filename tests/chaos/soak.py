"""What a process holds over time: samples, how they grow, their plot."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import matplotlib
from support.wire import memory_mib, threads

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402 (the backend is chosen before)


@dataclass(frozen=True)
class Held:
    """What a process held at a moment, and how many records had been acked by then."""

    at_s: float
    memory_mib: float
    descriptors: int
    threads: int
    acked: int


class Watch:
    """Samples a process from a thread of its own; use it in a with statement.

    Args:
        pid: of the process.
        acked: how many records were acked so far.
        interval_s: from one sample to the next.
    """

    def __init__(self, pid: int, acked: Callable[[], int], interval_s: float) -> None:
        self.samples: list[Held] = []
        self._pid = pid
        self._acked = acked
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-watch")

    def growth_mib(self) -> float:
        """How much memory grew from the end of the first quarter, by a fitted line."""
        settled = self._settled()
        fitted = statistics.linear_regression([each.at_s for each in settled], [each.memory_mib for each in settled])
        return fitted.slope * (settled[-1].at_s - settled[0].at_s)

    def more(self, what: str) -> float:
        """The median of the last quarter less that of the second: `descriptors` or `threads`."""
        settled = self._settled()
        third = len(settled) // 3
        first, last = ([getattr(each, what) for each in part] for part in (settled[:third], settled[-third:]))
        return statistics.median(last) - statistics.median(first)

    def draw(self, path: Path, title: str) -> None:
        """Writes the plot as PNG."""
        minutes = [each.at_s / 60 for each in self.samples]
        figure, axes = pyplot.subplots(4, 1, figsize=(9, 8), sharex=True)
        rates = [(after.acked - before.acked) / (after.at_s - before.at_s)
                 for before, after in zip(self.samples, self.samples[1:])]
        for line, values, name in zip(axes, (
                [each.memory_mib for each in self.samples], [each.descriptors for each in self.samples],
                [each.threads for each in self.samples], [rates[0], *rates]),
                ("memory (RSS), MiB", "descriptors", "threads", "acked a second")):
            line.plot(minutes, values, linewidth=1)
            # A session that ends takes its count along for a moment: a spike.
            line.set_ylim(0, min(max(values), 3 * statistics.median(values)) * 1.1)
            line.set_ylabel(name, fontsize=8)
            line.grid(alpha=0.3)
        axes[0].set_title(title, fontsize=8)
        axes[-1].set_xlabel("minutes")
        figure.tight_layout()
        figure.savefig(path, dpi=90)
        pyplot.close(figure)

    def _settled(self) -> list[Held]:
        begin = self.samples[-1].at_s / 4
        return [each for each in self.samples if each.at_s >= begin]

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._stop.wait(self._interval_s):
            self.samples.append(Held(time.monotonic() - begun, memory_mib(self._pid),
                                     len(os.listdir(f"/proc/{self._pid}/fd")), threads(self._pid), self._acked()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
