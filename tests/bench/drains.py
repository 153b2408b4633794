"""Drains: how fast, and at what cost, a topic is read, handled and committed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from support.paths import Process

from bench.environment import FLOOR, Environment, StartedJob, log_path, result_path, run_job

TIMEOUT_S = 600

# What the peers get when they are tuned as the daemon is: a second of data
# queued, bounded in bytes, and no second-long pause once the queue is full.
# The last one needs librdkafka 2.2.
QUEUE = {"queued.min.messages": "100000", "queued.max.messages.kbytes": "65536"}
TUNED = {**QUEUE, "fetch.queue.backoff.ms": "10"}

# leg -> (what it is, librdkafka properties of the peer)
LEGS: dict[str, tuple[str, dict[str, str]]] = {
    "A": ("sidecar, a callback for each record", {}),
    "A'": ("sidecar, a callback for each batch", {}),
    "A' frame": ("sidecar, a callback for each batch, to_polars()", {}),
    "B": ("confluent-kafka, poll + synchronous commit per message", TUNED),
    "C default": ("confluent-kafka, poll + store_offsets, library defaults", {}),
    "C": ("confluent-kafka, poll + store_offsets, tuned", TUNED),
    "D": ("confluent-kafka, consume(500) + commit per batch, tuned", TUNED),
    "D0": ("confluent-kafka, consume(500) into a Polars frame + commit per batch, tuned", TUNED),
    "E": ("librdkafka in C++, no callback: the floor", QUEUE),
}


@dataclass(frozen=True)
class Drain:
    """One run of a leg."""

    leg: str
    size: int = 100
    partitions: int = 1
    records: int = 1_000_000
    # Ends earlier when it has run so long; 0: only when all is read.
    max_seconds: float = 0
    spin_us: float = 0
    fail_percent: int = 0
    # Parameters of Client.consume, for the legs that have one.
    options: dict[str, Any] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    log_summary: bool = False


def run_drain(env: Environment, drain: Drain) -> dict[str, Any]:
    """Runs it, checks that all was committed, and returns rates and costs."""
    topics = list(drain.topics) or [env.topic(drain.records, drain.size, drain.partitions)]
    group = f"{drain.leg.lower().replace(' ', '-')}-{uuid.uuid4().hex[:10]}"
    env.reset_peaks()
    commits = env.offset_commits()
    measured = run_leg(env, drain, topics, group)
    commits = env.offset_commits() - commits
    if not drain.max_seconds:
        assert measured["count"] == drain.records, f"{measured['count']} of {drain.records} records: some came twice"
    # A failure that reaches the daemon after the stop is left for the next run:
    # what follows it is processed, but not committed.
    least = 1 if drain.fail_percent else None
    measured["count"] = env.check_committed(group, topics, measured["count"], least)
    return figures(drain, measured, commits)


def run_leg(env: Environment, drain: Drain, topics: list[str], group: str) -> dict[str, Any]:
    """Runs the leg's process; what it measured itself."""
    properties = LEGS[drain.leg][1]
    if drain.leg == "E":
        path = result_path("E")
        wanted = {"bootstrap.servers": env.kafka.bootstrap_servers, "group.id": group,
                  "auto.offset.reset": "earliest", "enable.auto.offset.store": "false", **properties}
        arguments = [str(FLOOR), str(path), str(drain.records), str(env.watched["broker"]), ",".join(topics),
                     *(f"{name}={value}" for name, value in wanted.items())]
        return StartedJob(Process(arguments, log_path("E")), path).result(TIMEOUT_S)
    return run_job("drain", drain.leg, {
        "leg": drain.leg, "topics": topics, "group": group, "records": drain.records,
        "max_seconds": drain.max_seconds, "spin_us": drain.spin_us, "fail_percent": drain.fail_percent,
        "options": drain.options, "properties": properties, "address": env.daemon.address,
        "bootstrap_servers": env.kafka.bootstrap_servers, "watched": env.watched,
        "log_summary": drain.log_summary}, TIMEOUT_S)


def figures(drain: Drain, measured: dict[str, Any], commits: int) -> dict[str, Any]:
    """Rates, CPU seconds per million records, and memory."""
    count, seconds = measured["count"], measured["seconds"]
    uses_daemon = drain.leg.startswith("A")
    cost = {name: spent / count * 1e6 for name, spent in measured["cpu"].items() if uses_daemon or name != "daemon"}
    rss = {name: most for name, most in measured["rss"].items() if uses_daemon or name != "daemon"}
    return {"records": count, "seconds": seconds, "rate": count / seconds, "cost": cost, "rss": rss,
            "commits_per_s": commits / seconds}
