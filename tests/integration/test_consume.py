"""Records through the daemon and a job: all of them, in order, committed to the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import datapy_kafka
import pytest
from confluent_kafka import Producer
from support.jobs import Journal, recorder
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import committed, end_offsets, produce, produce_numbered, read_all, wait_committed_to_end

StartSidecar = Callable[..., Sidecar]


def consume_here(daemon: Sidecar, topic: str, count: int, **options: Any) -> list[dict[str, Any]]:
    """Consumes `count` records in this process; their message dicts."""
    messages: list[dict[str, Any]] = []
    controller = datapy_kafka.StreamController()

    def handle(message: dict[str, Any]) -> None:
        messages.append(message)
        if len(messages) == count:
            controller.request_stop()

    with controller, datapy_kafka.connect(daemon.address) as kafka:
        result = kafka.consume(topics=[topic], group_id=f"{topic}-group", handler=handle, controller=controller,
                               **options)
    assert result.error is None, result.error
    assert result.clean
    return messages


def test_two_hundred_thousand_records_over_six_partitions(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, cleanup: ExitStack) -> None:
    count, partitions = 200_000, 6
    topic = kafka.create_topic(unique, partitions)
    produce_numbered(kafka.bootstrap_servers, topic, count, partitions)
    daemon = start_sidecar()
    journal = Journal(unique)
    job = cleanup.enter_context(recorder(unique, journal, daemon.address, [topic], unique))
    ends = wait_committed_to_end(kafka.bootstrap_servers, unique, topic, 240)
    assert job.stop() == 0, job.process.tail()

    offsets: dict[int, list[int]] = defaultdict(list)
    values: dict[int, list[int]] = defaultdict(list)
    for entry in journal.entries():
        if entry.event == "done":
            offsets[entry.partition].append(entry.offset)
            values[entry.partition].append(int(entry.value))
            assert entry.key == f"k{int(entry.value) % 1000}"
    # Every offset once, in order, with the value that was written there.
    assert offsets == {each: list(range(end)) for each, end in ends.items()}
    assert values == {each: list(range(each, count, partitions)) for each in range(partitions)}
    assert committed(kafka.bootstrap_servers, unique, topic) == end_offsets(kafka.bootstrap_servers, topic)
    result = journal.result()
    assert (result["processed"], result["succeeded"], result["failed"]) == (count, count, 0)
    assert result["committed"] == {f"{topic}-{each}": end for each, end in ends.items()}


def test_null_and_empty_keys_and_values_are_told_apart(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    pairs = [(None, None), (None, b""), (b"", None), (b"", b""), (b"k", b"v"), (b"\xff\xfe", b"\x80"),
             ("schlüssel".encode(), "wert €".encode())]
    topic = kafka.create_topic(unique)
    produce(kafka.bootstrap_servers, topic, ({"key": key, "value": value} for key, value in pairs))
    messages = consume_here(start_sidecar(), topic, len(pairs))
    assert [(each["key"], each["value"]) for each in messages] == [
        (None, None), (None, ""), ("", None), ("", ""), ("k", "v"), (b"\xff\xfe", b"\x80"), ("schlüssel", "wert €")]
    assert [(each["_raw_message"].key(), each["_raw_message"].value()) for each in messages] == pairs


def test_headers_keep_order_and_duplicates(kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    headers = [("trace", b"1"), ("kind", "größe".encode()), ("trace", b"2"), ("none", None), ("bin", b"\xff"),
               ("empty", b"")]
    topic = kafka.create_topic(unique)
    produce(kafka.bootstrap_servers, topic, [{"value": b"v", "headers": headers, "timestamp": 1_700_000_000_123},
                                             {"value": b"w"}])
    first, second = consume_here(start_sidecar(), topic, 2)
    assert first["headers"] == {"trace": "2", "kind": "größe", "none": None, "bin": b"\xff", "empty": ""}
    assert first["_raw_message"].headers() == headers
    assert first["timestamp"] == 1_700_000_000_123
    assert (first["topic"], first["partition"], first["offset"]) == (topic, 0, 0)
    assert second["headers"] == {}


@pytest.mark.parametrize("size", [1_000_000, 1 << 20, 10_000_000])
def test_large_records(kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, size: int) -> None:
    topic = kafka.create_topic(unique, config={"max.message.bytes": str(16 << 20)})
    value = bytes(range(256)) * (size // 256 + 1)
    records = [{"value": b"before"}, {"value": value[:size]}, {"value": b"after"}]
    produce(kafka.bootstrap_servers, topic, records, **{"message.max.bytes": 16 << 20})
    raised = {"fetch.message.max.bytes": "16777216"} if size > 1 << 20 else {}
    messages = consume_here(start_sidecar(), topic, 3, properties=raised)
    assert messages[1]["value"] == value[:size]
    assert [each["value"] for each in (messages[0], messages[2])] == ["before", "after"]
    wait_committed_to_end(kafka.bootstrap_servers, f"{topic}-group", topic)


def test_a_compacted_topic_with_holes_is_committed_to_the_end(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    topic = kafka.create_topic(unique, 2, config={
        "cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "500"})
    for _ in range(3):
        produce(kafka.bootstrap_servers, topic, ({"key": f"k{i % 50}", "value": str(i), "partition": i % 2}
                                                 for i in range(1000)))

    def compacted() -> bool:
        # New records make the broker close segments, which alone are compacted.
        produce(kafka.bootstrap_servers, topic, ({"key": "tick", "value": "t", "partition": i} for i in (0, 1)))
        return len(read_all(kafka.bootstrap_servers, topic)) < 1500

    wait_until(compacted, 90, "the topic is compacted", 1)
    latest = {each.key(): each.offset() for each in read_all(kafka.bootstrap_servers, topic)}
    daemon = start_sidecar()
    journal = Journal(unique)
    with recorder(unique, journal, daemon.address, [topic], unique) as job:
        ends = wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
        assert job.stop() == 0, job.process.tail()
    places = journal.places()
    assert len(places) == len(set(places))
    assert len(places) < sum(ends.values()), "the topic has no holes"
    seen = {entry.key.encode(): entry.offset for entry in journal.entries() if entry.event == "done"}
    assert seen == latest


def test_a_topic_with_aborted_transactions_is_committed_to_the_end(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    topic = kafka.create_topic(unique, 3)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": unique})
    producer.init_transactions(30)
    expected = []
    for number in range(20):
        producer.begin_transaction()
        for i in range(30):
            producer.produce(topic, value=f"{number}-{i}", partition=i % 3)
        if number % 3 == 0:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
            expected += [f"{number}-{i}" for i in range(30)]
    # The last one is aborted: only control records and holes at the end.
    producer.begin_transaction()
    producer.produce(topic, value="never", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)

    daemon = start_sidecar()
    journal = Journal(unique)
    with recorder(unique, journal, daemon.address, [topic], unique) as job:
        wait_until(lambda: journal.count("done") >= len(expected), 60, "all committed records are seen")
        # Trailing control records move the position though no record comes.
        wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
        assert job.stop() == 0, job.process.tail()
    assert sorted(entry.value for entry in journal.entries() if entry.event == "done") == sorted(expected)
