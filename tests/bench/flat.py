"""Whether the cost of the daemon stays flat as one thing at a time grows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.drains import TIMEOUT_S, Drain, run_drain
from bench.environment import Environment, start_job
from bench.plan import Plan
from bench.processes import cpu_seconds

PARTITIONS = (1, 2, 4, 8)
TOPICS = (1, 10, 100)
SESSIONS = (1, 2, 4, 8, 16)
WINDOWS = (10, 100, 1000, 10_000, 100_000)
FAIL_PERCENT = (0, 1, 10, 25, 50)
SUMMARY_INTERVALS = (1, 10, 100, 1000, 10_000, 1_000_000)

Point = tuple[str, int, Callable[[], dict[str, Any]]]


def run_flat(env: Environment, plan: Plan) -> Iterator[Point]:
    """(what grows, its value, what measures it), for every value and pass."""
    records = plan.flat_records
    for number in range(plan.flat_passes):
        points = list(_points(env, records))
        for axis, value, drain in points if number % 2 == 0 else reversed(points):
            yield axis, value, partial(run_drain, env, drain)
        for sessions in SESSIONS if number % 2 == 0 else reversed(SESSIONS):
            yield "sessions", sessions, partial(run_sessions, env, sessions, records)


def _points(env: Environment, records: int) -> Iterator[tuple[str, int, Drain]]:
    for partitions in PARTITIONS:
        yield "partitions", partitions, Drain("A", 100, partitions, records)
    for count in TOPICS:
        topics = tuple(env.topic(records // count, 100, 1, f"flat-{count}-{each}") for each in range(count))
        yield "topics", count, Drain("A", records=records // count * count, topics=topics)
    for window in WINDOWS:
        yield "in-flight window", window, Drain("A", records=records, options={"max_in_flight": window})
    for percent in FAIL_PERCENT:
        yield "failing records, %", percent, Drain("A", records=records, fail_percent=percent)
    for percent in FAIL_PERCENT:
        yield "failing and retried, %", percent, Drain(
            "A", records=records // 100, fail_percent=percent, options={"on_error": "retry", "retry_backoff_ms": [1]})
    for interval in SUMMARY_INTERVALS:
        yield "log_summary_interval", interval, Drain(
            "A", records=records, log_summary=True, options={"log_summary_interval": interval})


def run_sessions(env: Environment, sessions: int, records: int) -> dict[str, Any]:
    """So many jobs at once, each in a group of its own; all of them read `records` records."""
    each = records // sessions
    topic = env.topic(each, 100, 1)
    env.reset_peaks()
    before = {name: cpu_seconds(pid) for name, pid in env.watched.items()}
    groups = [f"sessions-{uuid.uuid4().hex[:10]}" for _ in range(sessions)]
    jobs = [start_job("drain", "sessions", {
        "leg": "A", "topics": [topic], "group": group, "records": each, "max_seconds": 0, "spin_us": 0,
        "fail_percent": 0, "options": {}, "properties": {}, "address": env.daemon.address,
        "bootstrap_servers": env.kafka.bootstrap_servers, "watched": env.watched}) for group in groups]
    found = [job.result(TIMEOUT_S) for job in jobs]
    for group, one in zip(groups, found):
        assert one["count"] == each, f"{one['count']} of {each} records: some came twice"
        env.check_committed(group, [topic], each)
    total = each * sessions
    cost = {name: (cpu_seconds(pid) - before[name]) / total * 1e6 for name, pid in env.watched.items()}
    cost["job"] = sum(one["cpu"]["job"] for one in found) / total * 1e6
    seconds = max(one["ended"] for one in found) - min(one["began"] for one in found)
    return {"records": total, "seconds": seconds, "rate": total / seconds, "cost": cost,
            "rss": found[-1]["rss"], "commits_per_s": 0}
