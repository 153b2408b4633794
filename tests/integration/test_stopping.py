"""SIGTERM and kill -9 of either side: nothing lost, and nothing twice after a clean stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from support.jobs import Job, Journal, recorder
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import committed, members, produce_numbered, wait_committed_to_end

COUNT, PARTITIONS = 12_000, 4


class Load:
    """A topic with records, and a daemon and a job in the middle of them."""

    def __init__(self, kafka: KafkaCluster, name: str, cleanup: ExitStack) -> None:
        self.servers = kafka.bootstrap_servers
        self.topic = kafka.create_topic(name, PARTITIONS)
        produce_numbered(self.servers, self.topic, COUNT, PARTITIONS)
        self.group = name
        self.journal = Journal(name)
        self.daemon: Sidecar = cleanup.enter_context(Sidecar(name, self.servers))
        # Slow enough that every stop meets records in flight.
        self.job: Job = cleanup.enter_context(
            recorder(name, self.journal, self.daemon.address, [self.topic], name, sleep_s=0.0003))
        self.wait_for(500)

    def wait_for(self, more: int) -> None:
        """Until the job has finished so many records more."""
        target = min(self.journal.count("done") + more, COUNT)
        wait_until(lambda: self.journal.count("done") >= target, 60, f"the job has finished {target} records")

    def finish(self) -> None:
        """Lets the job go on to the end of the topic, and ends both in order."""
        wait_committed_to_end(self.servers, self.group, self.topic, 90)
        assert self.job.stop() == 0, self.job.process.tail()
        assert self.daemon.stop() == 0, self.daemon.process.tail()

    def nothing_lost(self) -> None:
        """Every record was finished, and each partition's first finishes are in order."""
        values = {int(entry.value) for entry in self.journal.entries() if entry.event == "done"}
        assert values == set(range(COUNT))
        assert self.journal.out_of_order() == []

    def nothing_twice(self) -> None:
        """No record was begun or finished more than once."""
        assert self.journal.repeated("begin") == {}
        assert self.journal.repeated("done") == {}

    def committed_what_is_done(self) -> None:
        """The group's offsets are exactly where the job stands."""
        done: dict[int, int] = {}
        for _, partition, offset in self.journal.places():
            done[partition] = offset + 1
        assert committed(self.servers, self.group, self.topic) == done


@pytest.fixture
def load(kafka: KafkaCluster, unique: str, cleanup: ExitStack) -> Load:
    """A daemon and a job under load."""
    return Load(kafka, unique, cleanup)


@pytest.mark.parametrize("order", ["daemon-first", "job-first", "both"])
def test_sigterm_under_load_is_clean(load: Load, order: str) -> None:
    for _ in range(3):
        first, second = (load.job, load.daemon) if order == "job-first" else (load.daemon, load.job)
        first.process.signal(signal.SIGTERM)
        if order != "both":
            assert first.process.wait(45) == 0, first.process.tail()
        second.process.signal(signal.SIGTERM)
        assert second.process.wait(45) == 0, second.process.tail()
        if order == "both":
            assert first.process.wait(45) == 0, first.process.tail()
        load.committed_what_is_done()
        assert members(load.servers, load.group) == []
        load.daemon.start()
        load.job.start()
        load.wait_for(300)
    load.finish()
    load.nothing_lost()
    load.nothing_twice()


def test_the_job_goes_on_when_the_daemon_is_restarted(load: Load) -> None:
    for _ in range(2):
        assert load.daemon.stop() == 0, load.daemon.process.tail()
        load.daemon.start()
        load.wait_for(1000)
    assert load.job.process.running(), load.job.process.tail()
    load.finish()
    load.nothing_lost()
    load.nothing_twice()


def test_the_job_goes_on_when_the_daemon_is_killed(load: Load) -> None:
    load.daemon.kill()
    load.daemon.start()
    load.wait_for(1000)
    load.finish()
    load.nothing_lost()


def test_a_killed_job_loses_nothing(load: Load) -> None:
    for _ in range(3):
        load.job.kill()
        load.job.start()
        load.wait_for(500)
    assert load.daemon.process.running()
    load.finish()
    load.nothing_lost()


def test_a_daemon_that_starts_late_is_waited_for(
        kafka: KafkaCluster, unique: str, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, topic, 10, 1)
    daemon = Sidecar(unique, kafka.bootstrap_servers)
    cleanup.callback(daemon.close)
    journal = Journal(unique)
    job = cleanup.enter_context(recorder(unique, journal, daemon.address, [topic], unique))
    wait_until(lambda: job.process.text(), 20, "the job says what it waits for")
    assert job.process.running(), job.process.tail()
    daemon.start()
    wait_until(lambda: journal.count("done") == 10, 60, "the job has all records")
    assert job.stop() == 0, job.process.tail()
    assert daemon.stop() == 0


def test_a_second_sigterm_ends_the_daemon_at_once(
        kafka: KafkaCluster, start_sidecar: Callable[..., Sidecar], unique: str, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, topic, 10, 1)
    daemon = start_sidecar("--shutdown_drain_timeout_s=600")
    journal = Journal(unique)
    job = cleanup.enter_context(
        recorder(unique, journal, daemon.address, [topic], unique, sleep_s=600))
    wait_until(lambda: journal.count("begin") == 1, 60, "the job holds a record")
    daemon.process.signal(signal.SIGTERM)
    with daemon.api() as api:
        wait_until(lambda: not api.serving(), 20, "the daemon is draining")
    assert daemon.process.running()
    daemon.process.signal(signal.SIGTERM)
    daemon.process.wait(20)
    job.kill()


def test_a_drain_that_runs_out_of_time_says_what_stays_unacked(
        kafka: KafkaCluster, start_sidecar: Callable[..., Sidecar], unique: str, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, topic, 10, 1)
    daemon = start_sidecar("--shutdown_drain_timeout_s=1")
    journal = Journal(unique)
    job = cleanup.enter_context(
        recorder(unique, journal, daemon.address, [topic], unique, sleep_s=600))
    wait_until(lambda: journal.count("begin") == 1, 60, "the job holds a record")
    assert daemon.stop() == 0, daemon.process.tail()
    assert "unacked" in daemon.text()
    assert committed(kafka.bootstrap_servers, unique, topic).get(0, 0) == 0
    job.kill()
