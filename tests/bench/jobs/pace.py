"""Writes records at a steady rate; each begins with the clock's time of its produce()."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from bench.jobs.meter import arguments, write_result

STAMP = 20
_TICK_S = 0.001


def stamped(size: int) -> bytes:
    """A value of so many bytes that begins with now, in nanoseconds of the system-wide clock."""
    return f"{time.monotonic_ns():0{STAMP}d}".encode().ljust(size, b"x")


def main() -> None:
    """Writes `records` records at `rate` a second."""
    job = arguments()
    producer = Producer({"bootstrap.servers": job["bootstrap_servers"], "linger.ms": 0, "acks": "all"})
    errors: list[str] = []

    def delivered(error: object, _message: object) -> None:
        if error is not None:
            errors.append(str(error))

    producer.list_topics(job["topic"], timeout=30)  # Connected before the clock starts.
    began, sent = time.monotonic(), 0
    while sent < job["records"]:
        due = min(int((time.monotonic() - began) * job["rate"]) + 1, job["records"])
        while sent < due:
            producer.produce(job["topic"], stamped(job["size"]), partition=0, on_delivery=delivered)
            sent += 1
        producer.poll(0)
        time.sleep(_TICK_S)
    assert producer.flush(60) == 0 and not errors, f"records were not written: {errors[:3]}"
    write_result(job["result"], {"seconds": time.monotonic() - began})


if __name__ == "__main__":
    main()
