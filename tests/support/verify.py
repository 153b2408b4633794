"""What an independent client (confluent-kafka) sees: the tests' own eyes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from support.paths import wait_until


def partitions_of(bootstrap_servers: str, topic: str) -> list[int]:
    """The topic's partition numbers."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
    return sorted(admin.list_topics(topic, timeout=10).topics[topic].partitions)


def end_offsets(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """The offset after the last record (or control record) of each partition."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
    asked = {TopicPartition(topic, each): OffsetSpec.latest() for each in partitions_of(bootstrap_servers, topic)}
    found = admin.list_offsets(asked, request_timeout=20)
    return {place.partition: future.result(20).offset for place, future in found.items()}


def committed(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """The group's committed offset of each partition that has one."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
    asked = ConsumerGroupTopicPartitions(group)
    found = admin.list_consumer_group_offsets([asked], request_timeout=20)[group].result(20)
    return {each.partition: each.offset for each in found.topic_partitions
            if each.topic == topic and each.offset >= 0}


def wait_committed_to_end(bootstrap_servers: str, group: str, topic: str, timeout_s: float = 60) -> dict[int, int]:
    """Waits until the group's lag is 0 on every partition; the offsets."""
    ends = {each: offset for each, offset in end_offsets(bootstrap_servers, topic).items() if offset > 0}
    latest: dict[int, int] = {}

    def at_end() -> bool:
        latest.clear()
        latest.update(committed(bootstrap_servers, group, topic))
        return latest == ends

    try:
        wait_until(at_end, timeout_s, "committed == end", 0.2)
    except AssertionError:
        raise AssertionError(f"group {group} committed {latest} of {ends} within {timeout_s:g} s") from None
    return ends


def members(bootstrap_servers: str, group: str) -> list[str]:
    """The client ids of the group's members."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
    described = admin.describe_consumer_groups([group], request_timeout=20)[group].result(20)
    return [member.client_id for member in described.members]


def produce(bootstrap_servers: str, topic: str, records: Iterable[dict[str, Any]], **properties: Any) -> int:
    """Writes records ({"key", "value", "headers", "partition"}, all optional); how many.

    Fails unless every one is on the broker.
    """
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 5, "log_level": 2, "acks": "all",
                         "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000, **properties})
    errors: list[str] = []

    def on_delivery(error: Any, _message: Message) -> None:
        if error is not None:
            errors.append(str(error))

    count = 0
    for record in records:
        while True:
            try:
                producer.produce(topic, on_delivery=on_delivery, **record)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    assert left == 0 and not errors, f"{left} of {count} records not written; {errors[:3]}"
    return count


def produce_numbered(bootstrap_servers: str, topic: str, count: int, partitions: int, first: int = 0) -> int:
    """Unique values "0".."count-1", spread evenly over the partitions, keys "k<value mod 1000>"."""
    return produce(bootstrap_servers, topic,
                   ({"key": f"k{i % 1000}", "value": str(i), "partition": i % partitions}
                    for i in range(first, first + count)))


def read_all(bootstrap_servers: str, topic: str, timeout_s: float = 60, **properties: Any) -> list[Message]:
    """Every record of the topic (isolation read_committed, unless a property says otherwise)."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": f"reader-{uuid.uuid4().hex}",
                         "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 2,
                         "enable.partition.eof": True, "fetch.message.max.bytes": 16 << 20, **properties})
    places = [TopicPartition(topic, each, 0) for each in partitions_of(bootstrap_servers, topic)]
    messages: list[Message] = []
    ended: set[int] = set()
    consumer.assign(places)
    try:
        def done() -> bool:
            for message in consumer.consume(5000, 0.2):
                if message.error() is None:
                    messages.append(message)
                elif message.error().name() == "_PARTITION_EOF":
                    ended.add(message.partition())
                else:
                    raise AssertionError(str(message.error()))
            return len(ended) == len(places)

        wait_until(done, timeout_s, f"all of {topic} is read", 0)
    finally:
        consumer.close()
    return messages
