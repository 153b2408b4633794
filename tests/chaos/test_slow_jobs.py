"""Jobs that are slow, deaf or dead: memory bounded, membership kept, others served.

--full: an ack is withheld for 10 minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from datapy_kafka.v1 import sidecar_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from support.http2 import CONSUME, Http2, message
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import committed, members, produce, wait_committed_to_end
from support.wire import RawStream, cpu_s, memory_mib, threads

StartSidecar = Callable[..., Sidecar]

# Beyond the window of a session: librdkafka's own queue, frames on their way, code.
SLACK_MIB = 96.0


def fill(kafka: KafkaCluster, topic: str, count: int, partitions: int, size: int = 100) -> None:
    """Unique values of a size."""
    produce(kafka.bootstrap_servers, topic,
            ({"value": str(i).rjust(size, "."), "partition": i % partitions} for i in range(count)))


def served(kafka: KafkaCluster, daemon: Sidecar, name: str) -> None:
    """Another job on the same daemon reads and commits its own topic."""
    kafka.create_topic(name)
    fill(kafka, name, 200, 1)
    with RawStream(daemon, topics=[name], group_id=name) as other:
        rows = other.wait_rows(200)
        other.ack((rows[0].delivery_id, rows[-1].delivery_id))
        assert other.stop().clean
    wait_committed_to_end(kafka.bootstrap_servers, name, name)


@pytest.mark.timeout(1500)
def test_an_ack_withheld_freezes_its_partition_alone(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, full: bool, cleanup: ExitStack) -> None:
    seconds = 600 if full else 20
    daemon = start_sidecar()
    kafka.create_topic(unique, 2)
    fill(kafka, unique, 4000, 2, 1000)
    # Both shorter than the wait: neither ends the membership.
    stream = cleanup.enter_context(RawStream(
        daemon, topics=[unique], group_id=unique, max_in_flight_records=1000,
        properties={"session.timeout.ms": "6000", "heartbeat.interval.ms": "500", "max.poll.interval.ms": "10000"}))
    withheld = stream.wait_rows(1)[0]
    acked, before = 0, memory_mib(daemon.process.pid)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rows = stream.rows[acked:]
        acked += len(rows)
        stream.ack(*((row.delivery_id, row.delivery_id) for row in rows if row.delivery_id != withheld.delivery_id))
        if acked >= 4000:
            fill(kafka, unique, 200, 2, 1000)
        time.sleep(0.5)
    assert stream.error is None, stream.error
    assert stream.of_kind("revoked") == []
    assert len(members(kafka.bootstrap_servers, unique)) == 1
    places = committed(kafka.bootstrap_servers, unique, unique)
    assert places.get(withheld.partition, withheld.offset) == withheld.offset, "committed past an open record"
    assert places[1 - withheld.partition] >= 2000
    oldest = daemon.status().sessions[0].oldest_unacked
    assert (oldest.partition, oldest.offset) == (withheld.partition, withheld.offset)
    assert oldest.age.seconds >= seconds - 2
    grown = memory_mib(daemon.process.pid) - before
    print(f"ack withheld for {seconds} s: {acked} records acked, {grown:.1f} MiB more in memory")
    assert grown < SLACK_MIB
    served(kafka, daemon, f"{unique}-other")
    stream.wait_rows(4000)
    stream.ack((withheld.delivery_id, stream.rows[-1].delivery_id))
    assert wait_until(lambda: stream.of_kind("committed"), 30, "the commit goes on")
    wait_until(lambda: committed(kafka.bootstrap_servers, unique, unique)[withheld.partition] >= 2000, 30,
               "the frozen commit moves on")


def test_a_job_that_reads_nothing_bounds_memory(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, cleanup: ExitStack) -> None:
    daemon = start_sidecar()
    kafka.create_topic(unique, 4)
    fill(kafka, unique, 60_000, 4, 4000)  # 240 MB
    pid = daemon.process.pid
    before = memory_mib(pid)
    deaf = [cleanup.enter_context(RawStream(daemon, topics=[unique], group_id=f"{unique}-{i}", reading=False))
            for i in range(2)]
    wait_until(lambda: sum(each.in_flight_records for each in daemon.status().sessions) > 5000, 60,
               "both windows fill")
    time.sleep(8)
    status = daemon.status()
    for session in status.sessions:
        assert session.in_flight_records <= session.max_in_flight_records
        assert session.in_flight_bytes <= session.max_in_flight_bytes + 4000
    used = cpu_s(pid)
    time.sleep(2)
    assert cpu_s(pid) - used < 1.0, "a job that does not read keeps the daemon busy"
    grown = memory_mib(pid) - before
    print(f"two jobs that read nothing of 240 MB: {grown:.0f} MiB more in memory")
    # A window of 32 MiB for each, and what librdkafka has fetched ahead.
    assert grown < len(deaf) * (32 + SLACK_MIB)
    served(kafka, daemon, f"{unique}-other")
    for each in deaf:
        each.close()
    wait_until(lambda: not daemon.status().sessions, 40, "the sessions are gone")
    assert daemon.stop() == 0, daemon.process.tail()


def test_a_job_that_dies_in_the_middle_of_a_frame(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    daemon = start_sidecar()
    kafka.create_topic(unique)
    fill(kafka, unique, 100, 1)
    start = pb.ConsumeRequest(start=pb.Start(
        connection=pb.Connection(name="default"), topics=[unique], group_id=unique,
        properties={"session.timeout.ms": "6000"})).SerializeToString()
    baseline = threads(daemon.process.pid)
    for cut in (1, 4, 5, 60):
        with Http2(daemon.socket) as raw:
            raw.headers(1, CONSUME)
            raw.data(1, message(start))
            wait_until(lambda: daemon.status().sessions, 20, "the session has begun")
            # Told: a frame of 1000 bytes. Sent: its first few.
            raw.data(1, message(b"\x12" * 1000)[:cut])
        wait_until(lambda: not daemon.status().sessions, 30, "the session of the dead job is gone")
    served(kafka, daemon, f"{unique}-other")
    assert committed(kafka.bootstrap_servers, unique, unique) == {}
    assert threads(daemon.process.pid) <= baseline + 16
    assert daemon.stop() == 0, daemon.process.tail()


@pytest.mark.parametrize("mode", ["CONTINUE", "RETRY", "STOP"])
def test_a_record_that_is_not_acked_in_time_is_a_failed_attempt(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, mode: str) -> None:
    daemon = start_sidecar()
    kafka.create_topic(unique)
    fill(kafka, unique, 3, 1)
    policy = pb.FailurePolicy(mode=getattr(pb, f"FAILURE_MODE_{mode}"), max_retries=1, backoff_ms=[50])
    with RawStream(daemon, topics=[unique], group_id=unique, failure_policy=policy,
                   ack_timeout=Duration(seconds=1)) as stream:
        if mode == "STOP":
            assert stream.ended.wait(60)
            stopped = stream.of_kind("stopped")[-1]
            assert stopped.reason == pb.STOP_REASON_POLICY
            assert stopped.failed_record.offset == 0
            assert "ack timed out after 1 s" in stopped.message
            assert committed(kafka.bootstrap_servers, unique, unique) in ({}, {0: 0})
            return
        if mode == "RETRY":
            again = wait_until(lambda: [row for row in stream.rows if row.attempt == 2], 60, "a second attempt")
            assert again[0].offset == 0
        # Used up, or not tried again: each record is resolved after its time.
        wait_committed_to_end(kafka.bootstrap_servers, unique, unique)
        withdrawn = stream.of_kind("withdrawn")
        assert withdrawn and withdrawn[0].partition == 0
        stopped = stream.stop()
        assert stopped.totals.skipped == 3
        assert stopped.totals.retried == (3 if mode == "RETRY" else 0)
    assert daemon.text().count("ack timed out after 1 s") >= 3
