"""A broker, a daemon and topics full of records, for the legs to read."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.kafka import KafkaCluster
from support.paths import BUILD, LOGS, ROOT, Process
from support.sidecar import Sidecar
from support.verify import committed, end_offsets, produce

from bench.processes import reset_peak

FLOOR = BUILD / "bench" / "floor_consumer"
RESULTS = BUILD / "bench" / "results"
OFFSETS_TOPIC = "__consumer_offsets"
# The tests' brokers start quickly and stay with the first compiler; here the
# broker runs as it would for long. This variable wins over the command line.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=4 -Xmx1g"


def record_value(index: int, size: int) -> str:
    """JSON text of exactly `size` bytes."""
    head = f'{{"id":{index},"text":"'
    return head + "x" * (size - len(head) - 2) + '"}'


def drain_topic(records: int, size: int, partitions: int) -> str:
    """The name of a topic that is drained."""
    return f"drain-{size}-{partitions}-{records}"


class Environment:
    """What all legs share; a daemon that runs from the first leg to the last."""

    def __init__(self, kafka_version: str) -> None:
        self._stack = ExitStack()
        self._kafka_version = kafka_version
        self._filled: dict[str, dict[int, int]] = {}
        self.kafka: KafkaCluster
        self.daemon: Sidecar

    def __enter__(self) -> Environment:
        RESULTS.mkdir(parents=True, exist_ok=True)
        os.environ["_JAVA_OPTIONS"] = JAVA_OPTIONS
        with ExitStack() as stack:
            self.kafka = stack.enter_context(KafkaCluster("bench", self._kafka_version))
            self.daemon = stack.enter_context(Sidecar("bench", self.kafka.bootstrap_servers))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def watched(self) -> dict[str, int]:
        """The processes beside the job whose CPU and memory count."""
        return {"daemon": self.daemon.process.pid, "broker": self.kafka.brokers[0].process.pid}

    def reset_peaks(self) -> None:
        """Starts the peaks of memory anew."""
        for pid in self.watched.values():
            reset_peak(pid)

    def topic(self, records: int, size: int, partitions: int, name: str = "") -> str:
        """A topic with so many records of so many bytes, spread evenly; made once."""
        name = name or drain_topic(records, size, partitions)
        if name not in self._filled:
            # One segment a partition is kept whole whatever its age.
            self.kafka.create_topic(name, partitions, config={"retention.ms": "-1"})
            written = produce(self.kafka.bootstrap_servers, name, (
                {"key": f"k{i % 1000}", "value": record_value(i, size), "partition": i % partitions}
                for i in range(records)), **{"linger.ms": 20})
            assert written == records
            self._filled[name] = end_offsets(self.kafka.bootstrap_servers, name)
            assert sum(self._filled[name].values()) == records
        return name

    def forget(self, name: str) -> None:
        """Removes a topic, if there is one, to give its disk space back."""
        self._filled.pop(name, None)
        admin = self.kafka.admin()
        if name in admin.list_topics(timeout=30).topics:
            admin.delete_topics([name])[name].result(30)

    def offset_commits(self) -> int:
        """How many offsets have been committed to the broker so far: its own log of them."""
        return sum(end_offsets(self.kafka.bootstrap_servers, OFFSETS_TOPIC).values())

    def check_committed(self, group: str, topics: list[str], count: int, least: int | None = None) -> int:
        """An independent client's word: `count` records are committed, or at least `least` of them."""
        total, ends = 0, 0
        for topic in topics:
            total += sum(committed(self.kafka.bootstrap_servers, group, topic).values())
            ends += sum(self._filled[topic].values())
        assert (count if least is None else least) <= total <= count, f"group {group}: the job processed {count} records of {ends}, {total} are committed"
        return total


def run_job(module: str, name: str, job: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Runs a job to its end and returns what it measured."""
    started = start_job(module, name, job)
    return started.result(timeout_s)


class StartedJob:
    """A job that runs, and the file in which it leaves its result."""

    def __init__(self, process: Process, path: Path) -> None:
        self.process = process
        self._path = path

    def result(self, timeout_s: float) -> dict[str, Any]:
        """What it measured, once it has ended."""
        try:
            code = self.process.wait(timeout_s)
        except AssertionError:
            self.process.kill()
            raise
        assert code == 0, f"the job ended with {code}:\n{self.process.tail()}"
        found: dict[str, Any] = json.loads(self._path.read_text())
        self._path.unlink()
        return found


def start_job(module: str, name: str, job: dict[str, Any]) -> StartedJob:
    """Starts bench.jobs.`module` with its parameters."""
    path = result_path(name)
    arguments = [sys.executable, "-m", f"bench.jobs.{module}", json.dumps({**job, "result": str(path)})]
    env = {"PYTHONPATH": f"{ROOT / 'tests'}", "PYTHONUNBUFFERED": "1"}
    return StartedJob(Process(arguments, log_path(name), env), path)


def result_path(name: str) -> Path:
    """A new file for a job's result."""
    return RESULTS / f"{safe(name)}-{uuid.uuid4().hex[:8]}.json"


def log_path(name: str) -> Path:
    """A new file for what a job prints."""
    return LOGS / "bench" / f"{safe(name)}-{time.time_ns()}.log"


def safe(name: str) -> str:
    """A leg's name as a part of a file's name."""
    return name.replace(" ", "-").replace("'", "x").replace("/", "-")
