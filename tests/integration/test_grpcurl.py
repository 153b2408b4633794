"""What a person can do with grpcurl alone: look, check, consume and ack by hand."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from support.kafka import KafkaCluster
from support.paths import GRPCURL, wait_until
from support.sidecar import Sidecar
from support.verify import committed, produce

CONSUME = "datapy_kafka.v1.KafkaSidecar/Consume"


def grpcurl(daemon: Sidecar, *arguments: str, data: dict[str, Any] | None = None) -> str:
    """Runs grpcurl against the daemon's socket; what it prints."""
    assert GRPCURL.exists(), f"{GRPCURL} is missing: tests/run.sh integration builds it"
    sent = ["-d", json.dumps(data)] if data is not None else []
    done = subprocess.run([str(GRPCURL), "-plaintext", "-unix", *sent, str(daemon.socket), *arguments],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lists_describes_and_checks_health(start_sidecar: Callable[..., Sidecar]) -> None:
    daemon = start_sidecar("--reflection=true")
    services = grpcurl(daemon, "list").split()
    assert "datapy_kafka.v1.KafkaSidecar" in services
    assert "grpc.health.v1.Health" in services
    described = grpcurl(daemon, "describe", "datapy_kafka.v1.KafkaSidecar")
    for call in ("CheckConnection", "Consume", "Produce", "GetStatus"):
        assert f"rpc {call} " in described
    assert "delivery_id" in grpcurl(daemon, "describe", "datapy_kafka.v1.RecordRow")
    assert json.loads(grpcurl(daemon, "grpc.health.v1.Health/Check")) == {"status": "SERVING"}
    status = json.loads(grpcurl(daemon, "datapy_kafka.v1.KafkaSidecar/GetStatus"))
    assert status["connection_names"] == ["default"]


def test_consumes_and_acks_by_hand(
        kafka: KafkaCluster, start_sidecar: Callable[..., Sidecar], unique: str) -> None:
    topic = kafka.create_topic(unique)
    produce(kafka.bootstrap_servers, topic, [{"key": "a", "value": '{"order_id": 7}'}, {"value": "second"}])
    daemon = start_sidecar("--reflection=true")
    process = subprocess.Popen(
        [str(GRPCURL), "-plaintext", "-unix", "-d", "@", str(daemon.socket), CONSUME],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ})
    frames: queue.Queue[dict[str, Any]] = queue.Queue()
    reader = threading.Thread(target=_read_frames, args=(process.stdout, frames), daemon=True)
    reader.start()

    def send(frame: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(frame) + "\n")
        process.stdin.flush()

    try:
        send({"start": {"connection": {"name": "default"}, "topics": [topic], "group_id": unique,
                        "client_name": "grpcurl"}})
        assert "session_id" in frames.get(timeout=30)["started"]
        records = _records(frames, 2)
        assert records[0]["key_text"] == "a"
        assert records[0]["value_text"] == '{"order_id": 7}'
        assert records[1]["value_text"] == "second"

        def session() -> dict[str, Any]:  # looked at twice a second by the daemon
            found: dict[str, Any] = json.loads(
                grpcurl(daemon, "datapy_kafka.v1.KafkaSidecar/GetStatus"))["sessions"][0]
            return found

        assert session()["client_name"] == "grpcurl"
        wait_until(lambda: session().get("in_flight_records") == "2", 20, "both are in flight")
        assert session()["oldest_unacked"].get("offset", "0") == "0"

        send({"ack": {"ranges": [{"first_id": records[0]["delivery_id"]}]}})
        wait_until(lambda: committed(kafka.bootstrap_servers, unique, topic) == {0: 1}, 20, "the ack is committed")
        send({"ack": {"nacks": [{"delivery_id": records[1]["delivery_id"], "error": "by hand"}]}})
        wait_until(lambda: committed(kafka.bootstrap_servers, unique, topic) == {0: 2}, 20, "the nack is resolved")
        send({"stop": {}})
        assert process.stdin is not None
        process.stdin.close()
        stopped = _frame(frames, "stopped")
        assert stopped["clean"] is True
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def _read_frames(stream: Any, frames: queue.Queue[dict[str, Any]]) -> None:
    decoder = json.JSONDecoder()
    buffer = ""
    for line in stream:
        buffer += line
        try:
            frame, end = decoder.raw_decode(buffer)
        except json.JSONDecodeError:
            continue
        frames.put(frame)
        buffer = buffer[end:].lstrip()


def _frame(frames: queue.Queue[dict[str, Any]], kind: str) -> dict[str, Any]:
    while True:
        frame = frames.get(timeout=30)
        if kind in frame:
            found: dict[str, Any] = frame[kind]
            return found


def _records(frames: queue.Queue[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while len(records) < count:
        records += _frame(frames, "records")["records"]
    return records
