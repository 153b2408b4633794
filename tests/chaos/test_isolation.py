"""Several jobs on one daemon: what one does never touches another.

A wrong password beside a session that works: tests/security/test_changes.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import datapy_kafka
from support.jobs import Job, Journal, recorder
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import committed, members, produce_numbered, wait_committed_to_end

StartSidecar = Callable[..., Sidecar]
QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}


class Worker:
    """A job with a topic, a group and a journal of its own."""

    def __init__(self, kafka: KafkaCluster, daemon: Sidecar, name: str, cleanup: ExitStack, count: int,
                 **options: object) -> None:
        self.servers = kafka.bootstrap_servers
        self.topic = kafka.create_topic(name, 2)
        self.count = count
        produce_numbered(self.servers, self.topic, count, 2)
        self.journal = Journal(name)
        self.job: Job = cleanup.enter_context(recorder(
            name, self.journal, daemon.address, [self.topic], self.topic, properties=QUICK, **options))

    def wait_done(self, timeout_s: float = 90) -> None:
        """All of its records were processed once, in order, and are committed."""
        wait_committed_to_end(self.servers, self.topic, self.topic, timeout_s)
        assert self.journal.count("done") == self.count
        assert self.journal.repeated() == {}
        assert self.journal.out_of_order() == []


def test_poison_slowness_and_a_crash_touch_no_other_job(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, cleanup: ExitStack) -> None:
    daemon = start_sidecar()
    poisoned = Worker(kafka, daemon, f"{unique}-poisoned", cleanup, 100, fail={"10": -1, "11": -1},
                      on_error="retry", max_retries=1000, retry_backoff_ms=[50])
    slow = Worker(kafka, daemon, f"{unique}-slow", cleanup, 100, sleep_s=5.0)
    stopping = Worker(kafka, daemon, f"{unique}-stopping", cleanup, 100, fail={"20": -1}, on_error="stop")
    crashing = Worker(kafka, daemon, f"{unique}-crashing", cleanup, 100, sleep_s=0.2)
    healthy = Worker(kafka, daemon, f"{unique}-healthy", cleanup, 20_000)
    wait_until(lambda: crashing.journal.count("done") > 3, 60, "the job that is to crash works")
    crashing.job.kill()
    assert stopping.job.wait(60) == 1
    wait_until(lambda: poisoned.journal.count("fail") > 20, 60, "the poison is tried again and again")
    healthy.wait_done()
    sessions = {each.group_id: each for each in daemon.status().sessions}
    assert set(sessions) == {poisoned.topic, slow.topic, healthy.topic}
    assert sessions[healthy.topic].totals.rebalances == 1
    assert sessions[healthy.topic].totals.retried == 0
    assert list(sessions[healthy.topic].recent_errors) == []
    # Each stands where its own fault left it.
    assert committed(kafka.bootstrap_servers, poisoned.topic, poisoned.topic) == {0: 5, 1: 5}
    assert slow.journal.count("begin") >= 1
    assert slow.job.process.running()
    assert poisoned.job.process.running()
    assert daemon.stop() == 0, daemon.process.tail()


def test_the_same_group_twice_on_a_daemon_is_two_members(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str, cleanup: ExitStack) -> None:
    daemon = start_sidecar()
    topic = kafka.create_topic(unique, 4)
    journal = Journal(unique)
    jobs = [cleanup.enter_context(recorder(f"{unique}-{i}", journal, daemon.address, [topic], unique,
                                           properties=QUICK)) for i in range(2)]

    def shares() -> list[int]:
        return sorted(len(each.partitions) for each in daemon.status().sessions)

    wait_until(lambda: shares() == [2, 2], 60, "each has two partitions")
    assert len(members(kafka.bootstrap_servers, unique)) == 2
    produce_numbered(kafka.bootstrap_servers, topic, 4000, 4)
    wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
    assert journal.count("done") == 4000
    assert journal.repeated() == {}
    # A session publishes its numbers twice a second.
    wait_until(lambda: [each.totals.acked for each in daemon.status().sessions] == [2000, 2000], 20,
               "each has acked its half")
    # One leaves, the other takes over what it had.
    assert jobs[0].stop() == 0, jobs[0].process.tail()
    wait_until(lambda: shares() == [4], 60, "the other has all four")
    produce_numbered(kafka.bootstrap_servers, topic, 400, 4, first=4000)
    wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
    assert journal.count("done") == 4400
    assert journal.repeated() == {}


def test_groups_on_one_topic_and_sessions_on_one_connection(
        kafka: KafkaCluster, start_sidecar: StartSidecar, unique: str) -> None:
    # Threads of one job share its connection to the daemon.
    daemon = start_sidecar()
    topic = kafka.create_topic(unique, 2)
    produce_numbered(kafka.bootstrap_servers, topic, 2000, 2)
    seen: dict[str, list[int]] = {f"{unique}-{i}": [] for i in range(4)}
    controllers = {group: datapy_kafka.StreamController() for group in seen}

    def consume(group: str) -> None:
        def handle(message: dict[str, str]) -> None:
            seen[group].append(int(message["value"]))
            if group == f"{unique}-0":
                raise ValueError("this group's handler always fails")

        with datapy_kafka.connect(daemon.address) as kafka_client:
            kafka_client.consume(topics=[topic], group_id=group, handler=handle, on_error="continue",
                                 controller=controllers[group])

    threads = [threading.Thread(target=consume, args=(group,)) for group in seen]
    for thread in threads:
        thread.start()
    try:
        for group in seen:
            wait_committed_to_end(kafka.bootstrap_servers, group, topic)
    finally:
        for controller in controllers.values():
            controller.request_stop()
        for thread in threads:
            thread.join(60)
    assert all(sorted(values) == list(range(2000)) for values in seen.values())
    wait_until(lambda: daemon.status().sessions_ended == 4, 30, "all four sessions have ended")
