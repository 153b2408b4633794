"""Latency of consuming, and producing: the parts of the benchmark that are no drains."""

from __future__ import annotations

import uuid
from typing import Any

from support.paths import LOGS, wait_until
from support.verify import end_offsets, produce

from bench.drains import TUNED
from bench.environment import Environment, run_job, start_job

TIMEOUT_S = 300


def run_latency(env: Environment, leg: str, rate: int, seconds: float, size: int = 100) -> dict[str, Any]:
    """Ages at the callback of records written at `rate` a second, in milliseconds."""
    name = f"latency-{rate}-{uuid.uuid4().hex[:8]}"
    topic = env.kafka.create_topic(name)
    records = int(rate * seconds)
    ready = LOGS / "bench" / f"{name}.ready"
    # The first record shows that the consumer is there.
    produce(env.kafka.bootstrap_servers, topic, [{"value": "0"}])
    common = {"bootstrap_servers": env.kafka.bootstrap_servers, "records": records}
    reader = start_job("latency", f"latency-{leg}", {
        **common, "leg": leg, "topics": [topic], "group": name, "address": env.daemon.address, "ready": str(ready),
        "properties": TUNED, "warm_up": min(2 * rate, records // 4)})
    wait_until(ready.exists, 60, f"{leg} gets its first record:\n{reader.process.tail()}", 0.02)
    run_job("pace", f"pace-{rate}", {**common, "topic": topic, "rate": rate, "size": size}, TIMEOUT_S)
    found = reader.result(TIMEOUT_S)
    ready.unlink()
    assert found["count"] == records, f"{found['count']} of {records} records came"
    env.forget(topic)
    return {"leg": leg, "rate": rate, **found}


def run_tables(env: Environment, leg: str, rows: int, times: int) -> dict[str, Any]:
    """Writes a table of `rows` rows `times` times, and once before that."""
    topic = env.kafka.create_topic(f"tables-{uuid.uuid4().hex[:8]}", 8)
    found = run_job("produce", f"tables-{leg}", {
        "what": "tables", "leg": leg, "rows": rows, "times": times, "topic": topic, "address": env.daemon.address,
        "bootstrap_servers": env.kafka.bootstrap_servers, "watched": env.watched}, TIMEOUT_S)
    written = sum(end_offsets(env.kafka.bootstrap_servers, topic).values())
    assert written == rows * (times + 1), f"{written} records are in the topic, not {rows * (times + 1)}"
    env.forget(topic)
    return {"leg": leg, "rows": rows, **found}


def run_singles(env: Environment, leg: str, records: int) -> dict[str, Any]:
    """Times of one produce with a flush inside a callback, in milliseconds."""
    source = env.topic(records, 100, 1, f"singles-in-{records}")
    topic = env.kafka.create_topic(f"singles-out-{uuid.uuid4().hex[:8]}")
    found = run_job("produce", f"singles-{leg}", {
        "what": "singles", "leg": leg, "records": records, "topics": [source], "topic": topic,
        "group": topic, "address": env.daemon.address, "properties": TUNED,
        "bootstrap_servers": env.kafka.bootstrap_servers}, TIMEOUT_S)
    written = sum(end_offsets(env.kafka.bootstrap_servers, topic).values())
    assert written == records, f"{written} records are in the topic, not {records}"
    env.forget(topic)
    return {"leg": leg, **found}
