"""A daemon for long: what it holds does not grow. --full: an hour at 5,000 records a second.

Its connections to the broker are cut and its job is stopped and killed all the
while. The plot: build/test-logs/soak.png.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer
from support.jobs import Job
from support.kafka import KafkaCluster
from support.paths import LOGS, wait_until
from support.sidecar import Sidecar
from support.verify import wait_committed_to_end

from chaos.soak import Watch

RATE = 5000
PARTITIONS = 6


def feed(bootstrap: str, topic: str, stop: threading.Event) -> None:
    """Produces `RATE` records a second."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 0,
                         "queue.buffering.max.messages": 1_000_000})
    count, begun = 0, time.monotonic()
    while not stop.wait(0.02):
        while count < (time.monotonic() - begun) * RATE:
            producer.produce(topic, value=f"{count:0100}", partition=count % PARTITIONS)
            count += 1
        producer.poll(0)
    assert producer.flush(120) == 0


@pytest.mark.timeout(6000)
def test_what_it_holds_does_not_grow(unique: str, full: bool) -> None:
    seconds, interval_s = (3600, 60) if full else (50, 8)
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaCluster(unique, proxied=True))
        topic = kafka.create_topic(unique, PARTITIONS, config={
            "retention.bytes": str(50 << 20), "segment.bytes": str(20 << 20)})
        daemon = stack.enter_context(Sidecar(unique, kafka.address("PROXIED")))
        job = stack.enter_context(Job(unique, Path(__file__).with_name("soak_job.py"), [json.dumps({
            "topics": [topic], "group_id": unique,
            "properties": {"session.timeout.ms": "6000"}})], {"DATAPY_KAFKA_ADDRESS": daemon.address}))
        stop = threading.Event()
        stack.callback(stop.set)
        feeder = threading.Thread(target=feed, args=(kafka.bootstrap_servers, topic, stop), name="soak-feeder")
        feeder.start()
        api = stack.enter_context(daemon.api())
        gone = 0  # acked in sessions that have ended

        def acked() -> int:
            return gone + sum(each.totals.acked for each in api.status().sessions)

        wait_until(acked, 60, "records are acked")
        with Watch(daemon.process.pid, acked, 5 if full else 1) as watch:
            end = time.monotonic() + seconds
            for fault in itertools.cycle(("cut", "stop", "cut", "kill")):
                time.sleep(interval_s)
                if time.monotonic() > end:
                    break
                if fault == "cut":
                    wait_until(kafka.proxies[0].cut, 60, "there are connections to cut")
                else:
                    before = acked()
                    if fault == "stop":
                        assert job.stop() == 0, job.process.tail()
                    else:
                        job.kill()
                    wait_until(lambda: not api.status().sessions, 60, "its session has ended")
                    gone = before
                    job.start()
                reached = acked()
                wait_until(lambda: acked() > reached, 60, f"records are acked again after {fault}")
        stop.set()
        feeder.join()
        wait_committed_to_end(kafka.bootstrap_servers, unique, topic, 300)
        assert job.stop() == 0, job.process.tail()
        total, growth = watch.samples[-1].acked, watch.growth_mib()
        said = (f"{total} records acked in {seconds} s; memory {watch.samples[-1].memory_mib:.0f} MiB, "
                f"{growth:+.1f} MiB from the first quarter on; {watch.more('descriptors'):+.0f} descriptors, "
                f"{watch.more('threads'):+.0f} threads")
        print(said)
        watch.draw(LOGS / "soak.png", said)
        assert growth < (8 if full else 15), said
        assert watch.more("descriptors") <= 2, said
        assert watch.more("threads") <= 1, said
        assert total > seconds * RATE * 0.3, "so little was carried that it shows nothing"
