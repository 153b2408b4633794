"""One leg: reads a topic from its first record and ends when all of it is committed.

Every leg builds the documents' message dict (or a batch of records) and calls
a handler; the handler spins for `spin_us` and counts.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from bench.jobs.meter import Meter, arguments, write_result

SUCCESS = {"status": "success"}
BATCH = 500


def spinner(spin_us: float) -> Callable[[], None] | None:
    """Work that holds the CPU for so long, or None for none."""
    if not spin_us:
        return None

    def spin() -> None:
        end = time.perf_counter_ns() + int(spin_us * 1000)
        while time.perf_counter_ns() < end:
            pass

    return spin


def record_handler(meter: Meter, stop: Callable[[], None], spin_us: float, fail_percent: int,
                   retried: bool = False) -> Callable[[dict[str, Any]], dict[str, str]]:
    """The callback of the legs that take one record at a time; a record that is retried counts when it succeeds."""
    work = spinner(spin_us)
    # Spread evenly over each hundred, the same records in every run.
    fails = [index * fail_percent // 100 != (index + 1) * fail_percent // 100 for index in range(100)]
    failing = itertools.cycle(fails) if fail_percent else None
    failure = {"status": "error", "error": "told to fail"}

    def handler(message: dict[str, Any]) -> dict[str, str]:  # noqa: ARG001
        if work is not None:
            work()
        failed = failing is not None and next(failing)
        if failed and retried:
            return failure
        meter.count += 1
        if meter.count >= meter.next_look and meter.look():
            stop()
        return failure if failed else SUCCESS

    return handler


def batch_handler(meter: Meter, stop: Callable[[], None]) -> Callable[[Any], dict[str, str]]:
    """The callback of the legs that take many records at once."""

    def handler(batch: Any) -> dict[str, str]:
        if not meter.count:
            meter.count = 1
            meter.look()
            meter.count = 0
        meter.count += len(batch)
        if meter.count >= meter.next_look and meter.look():
            stop()
        return SUCCESS

    return handler


def run_client(job: dict[str, Any]) -> dict[str, Any]:
    """Legs A and A': through the daemon."""
    import datapy_kafka

    if job.get("log_summary"):
        logging.basicConfig(level=logging.INFO, filename=os.devnull)
    meter = Meter(job["records"], job["max_seconds"], job["watched"])
    controller = datapy_kafka.StreamController()
    batch = job["leg"].startswith("A'")
    handler: Any
    if job["leg"] == "A' frame":
        import polars  # noqa: F401 - as the peer does before its first record
    if batch:
        handler = batch_handler(meter, controller.request_stop)
        if job["leg"] == "A' frame":
            inner = handler

            def handler(records: Any) -> dict[str, str]:
                return inner(records.to_polars())
    else:
        handler = record_handler(meter, controller.request_stop, job["spin_us"], job["fail_percent"],
                                 job["options"].get("on_error") == "retry")
    with datapy_kafka.connect(job["address"]) as kafka:
        result = kafka.consume(topics=job["topics"], group_id=job["group"], handler=handler, controller=controller,
                               batch=batch, **job["options"])
    measured = meter.end()
    assert result.clean and result.error is None, f"the run was not clean: {result}"
    return measured


def run_confluent(job: dict[str, Any]) -> dict[str, Any]:
    """Legs B, C, D and D0: confluent-kafka inside the job."""
    from bench.jobs import peers

    meter = Meter(job["records"], job["max_seconds"], job["watched"])
    stopping: list[bool] = []

    def stop() -> None:
        stopping.append(True)

    if job["leg"].startswith("D0"):
        handler: Any = batch_handler(meter, stop)
    else:
        handler = record_handler(meter, stop, job["spin_us"], job["fail_percent"])
    return peers.run(job, meter, handler, stopping)


def main() -> None:
    """Runs the leg that the arguments name."""
    job = arguments()
    run = run_client if job["leg"].startswith("A") else run_confluent
    write_result(job["result"], run(job))


if __name__ == "__main__":
    main()
