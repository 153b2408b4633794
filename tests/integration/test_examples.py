"""The documents' jobs, as processes, through the framework's stand-in on a real broker.

With DATAPY_FRAMEWORK=<checkout> they run through the framework itself, in a copy of that checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from datapy_kafka import _install
from support.jobs import Job
from support.kafka import KafkaCluster
from support.paths import ROOT, wait_until
from support.sidecar import Sidecar
from support.verify import committed, produce, read_all, wait_committed_to_end

EXAMPLES = ROOT / "client-python" / "examples"
StartSidecar = Callable[..., Sidecar]


@pytest.fixture(scope="session")
def framework(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of the framework's shape with the mods installed."""
    root = tmp_path_factory.mktemp("framework")
    checkout = Path(os.environ.get("DATAPY_FRAMEWORK") or ROOT / "tests" / "python" / "datapy_standin")
    shutil.copytree(checkout / "datapy", root / "datapy")
    assert _install.run(root) == 0
    return root


class Example:
    """An example with topics and a context file of its own."""

    def __init__(self, kafka: KafkaCluster, daemon: Sidecar, framework: Path, folder: Path, name: str,
                 cleanup: ExitStack) -> None:
        self.servers = kafka.bootstrap_servers
        self._daemon, self._framework, self._folder, self._name = daemon, framework, folder, name
        self._cleanup = cleanup
        context = json.loads((EXAMPLES / "kafka_context.json").read_text())
        self.topics = {key: kafka.create_topic(f"{name}-{key.replace('_', '-')}")
                       for key in context["kafka"] if key.endswith("_topic")}
        # The file of the examples, with this test's values: its placeholders stay.
        context["kafka"] |= {"bootstrap_servers": self.servers, "consumer_group": name, **self.topics}
        self.context = folder / "context.json"
        self.context.write_text(json.dumps(context))

    def write(self, records: list[tuple[str, object]]) -> None:
        """Writes the input."""
        produce(self.servers, self.topics["input_topic"],
                ({"key": key.encode(), "value": json.dumps(value).encode()} for key, value in records))

    def start(self, script: str) -> Job:
        """Starts the example."""
        copy = self._folder / script
        shutil.copy(EXAMPLES / script, copy)
        job = Job(self._name, copy, [str(self.context)],
                  {"DATAPY_KAFKA_ADDRESS": self._daemon.address, "PYTHONPATH": os.pathsep.join([str(self._framework), os.environ.get("PYTHONPATH", "")])})
        return self._cleanup.enter_context(job)

    def read(self, topic: str) -> list[tuple[object, object]]:
        """What was written to one of the topics: key and value."""
        return [(message.key(), json.loads(message.value())) for message in read_all(self.servers, self.topics[topic])]

    def done(self, group: str) -> None:
        """Waits until the group has committed all of the input."""
        wait_committed_to_end(self.servers, group, self.topics["input_topic"])


@pytest.fixture
def example(kafka: KafkaCluster, start_sidecar: StartSidecar, framework: Path, tmp_path: Path, unique: str,
            cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Example:
    """An example's surroundings; it runs in a folder of its own, where it may write files."""
    daemon = start_sidecar()
    monkeypatch.chdir(tmp_path)
    return Example(kafka, daemon, framework, tmp_path, unique, cleanup)


def test_the_simple_consumer_fills_a_table(example: Example, tmp_path: Path) -> None:
    example.write([(str(n), {"order_id": n, "amount": n / 2}) for n in range(20)])
    job = example.start("kafka_simple_consumer.py")
    example.done("orders-to-db")
    assert job.stop() == 0, job.process.tail()
    with sqlite3.connect(tmp_path / "orders.db") as database:
        rows = database.execute("SELECT order_id, amount FROM orders ORDER BY amount").fetchall()
    assert rows == [(str(n), n / 2) for n in range(20)]


def test_the_transformer_forwards_each_order(example: Example) -> None:
    example.write([(str(n), {"order_id": n, "amount": 10 * n}) for n in range(20)])
    job = example.start("kafka_stream_transform.py")
    example.done("transformer")
    assert job.stop() == 0, job.process.tail()
    assert example.read("output_topic") == [
        (str(n).encode(), {"id": n, "total": round(11.0 * n, 2)}) for n in range(20)]


def test_the_router_sends_each_event_where_it_belongs(example: Example) -> None:
    # A payload that looks like a placeholder is data: nothing may replace it.
    account = {"event_type": "ACCOUNT_ADD", "note": "${kafka.password}"}
    customer = {"event_type": "CUSTOMER_ADD", "id": 7}
    example.write([("a", account), ("c", customer), ("x", {"event_type": "OTHER"})])
    job = example.start("kafka_routing.py")
    example.done("event-router")
    assert job.stop() == 0, job.process.tail()
    assert example.read("account_topic") == [(b"a", account)]
    assert example.read("customer_topic") == [(b"c", customer)]


def test_long_processing_gives_an_order_back_at_a_stop(example: Example, unique: str) -> None:
    example.write([(str(n), {"order_id": n}) for n in range(4)])
    job = example.start("kafka_long_processing.py")
    wait_until(lambda: "order 0 is done" in job.process.text(), 60, "the first order is done")
    assert job.stop() == 0, job.process.tail()
    finished = job.process.text().count("is done")
    assert finished < 4
    at = committed(example.servers, unique, example.topics["input_topic"])
    assert at == {0: finished}
    job.start()
    example.done(unique)
    assert job.stop() == 0, job.process.tail()
    # Nothing was lost and nothing was done twice.
    assert [line for line in job.process.text().splitlines() if line.endswith("is done")] == [
        f"order {n} is done" for n in range(4)]
