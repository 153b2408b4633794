"""The peers: loops that a job would write with confluent-kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, Message

from bench.jobs.meter import Meter

BATCH = 500


def consumer(job: dict[str, Any], **properties: Any) -> Consumer:
    """Subscribed, in a group of its own, from the first record on."""
    made = Consumer({"bootstrap.servers": job["bootstrap_servers"], "group.id": job["group"],
                     "auto.offset.reset": "earliest", **job["properties"], **properties})
    made.subscribe(job["topics"])
    return made


def as_dict(message: Message) -> dict[str, Any]:
    """The message as the mods' documents have it."""
    key, value, headers = message.key(), message.value(), message.headers()
    return {
        "key": None if key is None else key.decode(),
        "value": None if value is None else value.decode(),
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "headers": dict(headers) if headers else {},
        "_raw_message": message,
    }


def poll_and_commit(job: dict[str, Any], handler: Callable[[Any], Any], stopping: list[bool]) -> Consumer:
    """B: a synchronous commit for each message, as the documents write it."""
    client = consumer(job, **{"enable.auto.commit": False})
    while not stopping:
        message = client.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise RuntimeError(message.error())
        if handler(as_dict(message))["status"] == "success":
            client.commit(message=message, asynchronous=False)
    return client


def poll_and_store(job: dict[str, Any], handler: Callable[[Any], Any], stopping: list[bool]) -> Consumer:
    """C: offsets are stored one by one and committed in the background."""
    client = consumer(job, **{"enable.auto.offset.store": False})
    while not stopping:
        message = client.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise RuntimeError(message.error())
        if handler(as_dict(message))["status"] == "success":
            client.store_offsets(message=message)
    client.commit(asynchronous=False)
    return client


def consume_and_commit(job: dict[str, Any], handler: Callable[[Any], Any], stopping: list[bool]) -> Consumer:
    """D: up to 500 records at once, each through the handler, one commit a batch."""
    client = consumer(job, **{"enable.auto.commit": False})
    while not stopping:
        messages = client.consume(BATCH, 0.1)
        for message in messages:
            if message.error():
                raise RuntimeError(message.error())
            handler(as_dict(message))
        if messages:
            client.commit(asynchronous=False)
    return client


def consume_into_frame(job: dict[str, Any], handler: Callable[[Any], Any], stopping: list[bool]) -> Consumer:
    """D0: up to 500 records at once as a Polars frame, one commit a frame."""
    import polars

    client = consumer(job, **{"enable.auto.commit": False})
    while not stopping:
        messages = client.consume(BATCH, 0.1)
        if not messages:
            continue
        for message in messages:
            if message.error():
                raise RuntimeError(message.error())
        handler(polars.DataFrame({
            "key": [message.key().decode() for message in messages],
            "value": [message.value().decode() for message in messages],
            "partition": [message.partition() for message in messages],
            "offset": [message.offset() for message in messages],
            "timestamp": [message.timestamp()[1] for message in messages],
        }))
        client.commit(asynchronous=False)
    return client


LOOPS = {"B": poll_and_commit, "C": poll_and_store, "D": consume_and_commit, "D0": consume_into_frame}


def run(job: dict[str, Any], meter: Meter, handler: Callable[[Any], Any], stopping: list[bool]) -> dict[str, Any]:
    """Runs the loop of a leg; what it measured, its last commit included."""
    client = LOOPS[job["leg"].split()[0]](job, handler, stopping)
    measured = meter.end()
    client.close()
    return measured
