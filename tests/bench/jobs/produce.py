"""Producing: a DataFrame at once, and one record with a flush inside a callback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import polars
from confluent_kafka import Producer

from bench.jobs import peers
from bench.jobs.latency import percentile
from bench.jobs.meter import arguments, write_result
from bench.processes import cpu_seconds

# The daemon's producers are idempotent; so is the peer.
PROPERTIES = {"enable.idempotence": True, "queue.buffering.max.messages": 1_000_000}


def frame(rows: int) -> polars.DataFrame:
    """A table with columns of the usual types."""
    numbers = range(rows)
    return polars.DataFrame({
        "order_id": list(numbers),
        "customer": [f"customer-{each % 5000}" for each in numbers],
        "amount": [each % 1000 + 0.25 for each in numbers],
        "country": [("NL", "DE", "FR", "IT")[each % 4] for each in numbers],
        "paid": [each % 3 == 0 for each in numbers],
    })


class ConfluentProducer:
    """What a job would write with confluent-kafka."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, **PROPERTIES})
        self._errors: list[str] = []

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._errors.append(str(error))

    def send_table(self, topic: str, data: polars.DataFrame) -> None:
        """A produce for each row, then a flush."""
        for row in data.iter_rows(named=True):
            self._producer.produce(topic, json.dumps(row).encode(), str(row["order_id"]).encode(),
                                   on_delivery=self._delivered)
            self._producer.poll(0)
        self._flush()

    def send(self, topic: str, row: dict[str, Any]) -> None:
        """One record and a flush."""
        self._producer.produce(topic, json.dumps(row).encode(), str(row["order_id"]).encode(),
                               on_delivery=self._delivered)
        self._flush()

    def _flush(self) -> None:
        assert self._producer.flush(60) == 0 and not self._errors, f"not written: {self._errors[:3]}"


def tables(job: dict[str, Any]) -> dict[str, Any]:
    """Writes the same table again and again; the first time, which connects, does not count."""
    data = frame(job["rows"])
    send: Callable[[], Any]
    if job["leg"] == "A":
        import datapy_kafka

        kafka = datapy_kafka.connect(job["address"])

        def send() -> None:
            sent = kafka.produce(job["topic"], data, key_column="order_id", flush_timeout_s=60).sent
            assert sent == job["rows"], f"{sent} of {job['rows']} rows were written"
    else:
        producer = ConfluentProducer(job["bootstrap_servers"])

        def send() -> None:
            producer.send_table(job["topic"], data)

    send()
    cpu = {name: cpu_seconds(pid) for name, pid in job["watched"].items()}
    own, seconds = time.process_time(), []
    for _ in range(job["times"]):
        began = time.monotonic()
        send()
        seconds.append(time.monotonic() - began)
    cost = {"job": time.process_time() - own, **{name: cpu_seconds(pid) - cpu[name]
                                                 for name, pid in job["watched"].items()}}
    rows = job["rows"] * job["times"]
    return {"seconds": seconds, "cost": {name: spent / rows * 1e6 for name, spent in cost.items()}}


def singles(job: dict[str, Any]) -> dict[str, Any]:
    """In a callback, writes a record for each that comes in and waits until it is safe."""
    times: list[int] = []
    stopping: list[bool] = []
    stop: Callable[[], Any]

    def handler(message: dict[str, Any]) -> dict[str, str]:
        row = {"order_id": message["offset"], "customer": "customer-1", "amount": 12.5, "country": "NL"}
        began = time.monotonic_ns()
        send(row)
        times.append(time.monotonic_ns() - began)
        if len(times) == job["records"]:
            stop()
        return {"status": "success"}

    if job["leg"] == "A":
        import datapy_kafka

        controller = datapy_kafka.StreamController()
        stop = controller.request_stop
        with datapy_kafka.connect(job["address"]) as kafka:
            send = kafka.producer(job["topic"], key_column="order_id").send
            result = kafka.consume(topics=job["topics"], group_id=job["group"], handler=handler, controller=controller)
        assert result.clean and result.error is None, f"the run was not clean: {result}"
    else:
        producer = ConfluentProducer(job["bootstrap_servers"])

        def send(row: dict[str, Any]) -> None:
            producer.send(job["topic"], row)

        def stop() -> None:
            stopping.append(True)

        peers.poll_and_store(job, handler, stopping).close()
    ordered = sorted(times[len(times) // 10:])
    return {"count": len(times), "p50": percentile(ordered, 0.5), "p99": percentile(ordered, 0.99)}


def main() -> None:
    """Runs the leg that the arguments name."""
    job = arguments()
    write_result(job["result"], tables(job) if job["what"] == "tables" else singles(job))


if __name__ == "__main__":
    main()
