"""How old a record is when the callback is entered: through the daemon, or in a bare poll loop."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.jobs import peers
from bench.jobs.meter import arguments, write_result
from bench.jobs.pace import STAMP


def percentile(ordered: list[int], share: float) -> float:
    """In milliseconds, of nanoseconds in order."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6


class Ages:
    """The handler: notes each record's age. The first record only says that the job is ready."""

    def __init__(self, job: dict[str, Any], stop: Callable[[], None]) -> None:
        self._left = job["records"]
        self._warm_up = job["warm_up"]
        self._ready = Path(job["ready"])
        self._stop = stop
        self._ages = array("q")
        self._first = True

    def __call__(self, message: dict[str, Any]) -> dict[str, str]:
        now = time.monotonic_ns()
        if self._first:
            self._first = False
            self._ready.touch()
            return {"status": "success"}
        self._ages.append(now - int(message["value"][:STAMP]))
        self._left -= 1
        if not self._left:
            self._stop()
        return {"status": "success"}

    def result(self) -> dict[str, Any]:
        """Percentiles of all but the first records."""
        ordered = sorted(self._ages[self._warm_up:])
        return {"count": len(self._ages), "p50": percentile(ordered, 0.5), "p99": percentile(ordered, 0.99),
                "p99.9": percentile(ordered, 0.999), "max": ordered[-1] / 1e6}


def main() -> None:
    """Runs the leg that the arguments name."""
    job = arguments()
    if job["leg"] == "A":
        import datapy_kafka

        controller = datapy_kafka.StreamController()
        ages = Ages(job, controller.request_stop)
        with datapy_kafka.connect(job["address"]) as kafka:
            result = kafka.consume(topics=job["topics"], group_id=job["group"], handler=ages, controller=controller)
        assert result.clean and result.error is None, f"the run was not clean: {result}"
    else:
        stopping: list[bool] = []
        ages = Ages(job, lambda: stopping.append(True))
        peers.poll_and_store(job, ages, stopping).close()
    write_result(job["result"], ages.result())


if __name__ == "__main__":
    main()
