"""What a job that means harm, or is broken, gets: a refusal, never the daemon or a wrong commit."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest
from datapy_kafka.v1 import sidecar_pb2 as pb
from support.http2 import CONSUME, Http2, call_headers
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import SERVICE, Sidecar, sidecar_binary
from support.verify import committed, produce_numbered, wait_committed_to_end
from support.wire import RawStream, cpu_s, memory_mib, peak_mib, threads

# What none of the attacks may make the daemon grow by. The most is gRPC's own,
# 240 MiB for 10,000 refused calls of a client that heeds no setting and reads
# nothing; three such connections may end at the same time.
MOST_MIB = 800.0
HUGE = (1 << 64) - 1


@pytest.fixture
def daemon(start_sidecar: Callable[..., Sidecar]) -> Iterator[Sidecar]:
    """A daemon that must live, be small and stop in order after the test."""
    daemon = start_sidecar()
    before = memory_mib(daemon.process.pid)
    yield daemon
    print(f"memory: {before:.0f} MiB before, {peak_mib(daemon.process.pid):.0f} MiB at most; "
          f"{threads(daemon.process.pid)} threads; {cpu_s(daemon.process.pid):.1f} s of processor time")
    assert peak_mib(daemon.process.pid) - before < MOST_MIB
    with daemon.api() as api:
        assert api.serving()
    assert daemon.stop() == 0, daemon.process.tail()


@pytest.fixture
def other(kafka: KafkaCluster, daemon: Sidecar, unique: str, cleanup: ExitStack) -> Callable[[], None]:
    """A job that was there before; call it: it is served still."""
    topic = kafka.create_topic(f"{unique}-other")
    stream = cleanup.enter_context(RawStream(daemon, topics=[topic], group_id=topic))
    wait_until(lambda: stream.of_kind("assigned"), 30, "the other job has joined")

    def served() -> None:
        seen = len(stream.rows)
        produce_numbered(kafka.bootstrap_servers, topic, 100, 1, first=seen)
        rows = stream.wait_rows(seen + 100, 20)
        stream.ack((rows[seen].delivery_id, rows[-1].delivery_id))
        wait_committed_to_end(kafka.bootstrap_servers, topic, topic, 20)

    return served


def test_acks_of_all_kinds_move_no_commit_wrongly(kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, unique, 100, 1)

    def place() -> int:
        return committed(kafka.bootstrap_servers, unique, unique).get(0, 0)

    with RawStream(daemon, topics=[unique], group_id=unique) as stream:
        rows = stream.wait_rows(100)
        first = rows[0].delivery_id
        # Never given out, zero, far beyond, and all of them but the first.
        stream.ack((0, 0), (first + 100, HUGE), (HUGE, HUGE), *[(first + 1, HUGE)] * 3)
        wait_until(lambda: daemon.status().sessions[0].totals.acked == 99, 20, "99 are acked, each once")
        time.sleep(1.5)
        assert place() == 0, "committed past the first record, which nobody acked"
        assert daemon.status().sessions[0].totals.stale_acks > 200
        stream.ack((first, first))
        wait_until(lambda: place() == 100, 20, "the commit comes with the missing ack")
        # All again, and as failures: it is over for these ids.
        stream.ack((0, HUGE), (first, first + 99))
        stream.send(pb.ConsumeRequest(ack=pb.Ack(nacks=[
            pb.Nack(delivery_id=first + i, error="late") for i in range(100)])))
        stopped = stream.stop()
        assert (stopped.totals.acked, stopped.totals.nacked, stopped.clean) == (100, 0, True)
    assert place() == 100


def test_a_range_that_ends_before_it_begins_is_refused(kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique)
    with RawStream(daemon, topics=[unique], group_id=unique) as stream:
        stream.ack((9, 4))
        assert stream.ended.wait(20)
        assert stream.error is not None
        assert stream.error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_acks_of_a_partition_that_was_taken_away_commit_nothing(
        kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique, 2)
    produce_numbered(kafka.bootstrap_servers, unique, 200, 2)
    quick = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "200"}
    with RawStream(daemon, topics=[unique], group_id=unique, properties=quick) as first:
        rows = first.wait_rows(200)
        with RawStream(daemon, topics=[unique], group_id=unique, properties=quick) as second:
            revoked = wait_until(lambda: first.of_kind("revoked"), 40, "partitions are taken away")[0]
            assert not revoked.lost
            first.send(pb.ConsumeRequest(release=pb.Release(revocation_id=revoked.revocation_id)))
            second.wait_rows(100, 40)
            taken = second.rows[0].partition
            # The old owner acks what it no longer has.
            first.ack((rows[0].delivery_id, rows[-1].delivery_id))
            wait_until(lambda: max(each.totals.stale_acks for each in daemon.status().sessions) >= 200, 20,
                       "they are counted as stale")
            time.sleep(1.5)
            assert committed(kafka.bootstrap_servers, unique, unique).get(taken, 0) == 0
            second.ack((second.rows[0].delivery_id, second.rows[-1].delivery_id))
            wait_until(lambda: committed(kafka.bootstrap_servers, unique, unique).get(taken) == 100, 20,
                       "the new owner's acks count")


@pytest.mark.parametrize("call", ["Consume", "Produce", "CheckConnection"])
def test_ten_million_parts_in_a_request(daemon: Sidecar, other: Callable[[], None], call: str) -> None:
    count = 10_000_000
    inner = b"\x0a\x00" * count  # Empty ranges, rows, properties.
    tag = {"Consume": b"\x12", "Produce": b"\x1a", "CheckConnection": b"\x0a"}[call]
    request = tag + _varint(len(inner)) + inner
    used = cpu_s(daemon.process.pid)
    with daemon.api() as api, pytest.raises(grpc.RpcError) as caught:
        if call == "Consume":
            list(api.channel.stream_stream(f"{SERVICE}Consume")(iter([request])))
        else:
            api.channel.unary_unary(f"{SERVICE}{call}")(request, timeout=60)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "500000" in caught.value.details()
    assert cpu_s(daemon.process.pid) - used < 5.0
    other()


def test_the_most_ranges_that_a_frame_may_hold(kafka: KafkaCluster, daemon: Sidecar, unique: str) -> None:
    kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, unique, 10, 1)
    with RawStream(daemon, topics=[unique], group_id=unique) as stream:
        rows = stream.wait_rows(10)
        used = cpu_s(daemon.process.pid)
        for _ in range(10):
            stream.ack(*[(1, HUGE)] * 65_536)
        wait_until(lambda: committed(kafka.bootstrap_servers, unique, unique) == {0: 10}, 30, "the first one counts")
        assert daemon.status().sessions[0].totals.acked == len(rows)
        assert cpu_s(daemon.process.pid) - used < 10.0
        stream.ack(*[(1, 1)] * 65_537)
        assert stream.ended.wait(30)
        assert stream.error is not None
        assert stream.error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_frame_over_the_limit(daemon: Sidecar, other: Callable[[], None]) -> None:
    with daemon.api() as api, pytest.raises(grpc.RpcError) as caught:
        channel = grpc.insecure_channel(daemon.address, options=[("grpc.max_send_message_length", -1)])
        channel.unary_unary(f"{SERVICE}Produce")(b"\x12" + _varint(65 << 20) + bytes(65 << 20), timeout=60)
        api.close()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    other()


def test_ten_thousand_streams_on_a_connection(daemon: Sidecar, other: Callable[[], None]) -> None:
    for _ in range(3):
        with Http2(daemon.socket) as raw:
            try:
                for first in range(0, 10_000, 100):
                    raw.socket.sendall(b"".join(call_headers(2 * i + 1, CONSUME) for i in range(first, first + 100)))
            except OSError:
                pass  # Cut off before all of it was sent.
            other()
            assert threads(daemon.process.pid) < 60
    other()


def test_a_thousand_idle_connections(daemon: Sidecar, other: Callable[[], None], cleanup: ExitStack) -> None:
    before = memory_mib(daemon.process.pid)
    idle: list[Http2] = []
    for _ in range(1000):
        try:
            idle.append(cleanup.enter_context(Http2(daemon.socket)))
        except OSError:
            continue
    time.sleep(1)
    held = [each for each in idle if not each.closed()]
    print(f"{len(held)} of 1000 connections are held: {memory_mib(daemon.process.pid) - before:.0f} MiB")
    assert len(held) <= 256
    assert threads(daemon.process.pid) < 60
    other()
    for each in idle:
        each.close()
    health = [sidecar_binary(), "--health", f"--listen={daemon.address}"]
    wait_until(lambda: subprocess.run(health, capture_output=True, timeout=20, check=False).returncode == 0, 20,
               "there is room again")


def test_connections_full_of_streams_that_never_start(
        daemon: Sidecar, other: Callable[[], None], cleanup: ExitStack) -> None:
    before = memory_mib(daemon.process.pid)
    for _ in range(200):
        raw = cleanup.enter_context(Http2(daemon.socket))
        raw.socket.sendall(b"".join(call_headers(2 * i + 1, CONSUME) for i in range(90)))
    time.sleep(2)
    print(f"18,000 calls without a start: {memory_mib(daemon.process.pid) - before:.0f} MiB")
    other()


def test_more_sessions_than_the_limit(daemon: Sidecar, kafka: KafkaCluster, unique: str, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique)
    streams = [cleanup.enter_context(RawStream(daemon, topics=[topic], group_id=f"{unique}-{i}")) for i in range(66)]
    wait_until(lambda: sum(each.ended.is_set() for each in streams) == 2, 60, "two are refused")
    refused = next(each for each in streams if each.ended.is_set())
    assert refused.error is not None
    assert refused.error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "max_sessions" in refused.error.details()
    assert len(daemon.status().sessions) == 64


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
