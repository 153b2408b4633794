"""What becomes of records that a job cannot process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from support.jobs import Job, Journal, recorder
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import committed, end_offsets, produce_numbered, wait_committed_to_end

COUNT, PARTITIONS = 3000, 3


class Setup:
    """A topic of COUNT numbered records, a daemon, and jobs that fail at some."""

    def __init__(self, kafka: KafkaCluster, daemon: Sidecar, name: str, cleanup: ExitStack) -> None:
        self.servers = kafka.bootstrap_servers
        self.topic = kafka.create_topic(name, PARTITIONS)
        produce_numbered(self.servers, self.topic, COUNT, PARTITIONS)
        self.daemon = daemon
        self.group = name
        self.journal = Journal(name)
        self._cleanup = cleanup

    def job(self, **options: Any) -> Job:
        """Starts a job."""
        return self._cleanup.enter_context(
            recorder(self.group, self.journal, self.daemon.address, [self.topic], self.group, **options))

    def all_done_but(self, *values: int) -> bool:
        """Whether every record but those was finished, exactly once."""
        done = sorted(int(entry.value) for entry in self.journal.entries() if entry.event == "done")
        return done == sorted(set(range(COUNT)) - set(values))


@pytest.fixture
def setup(kafka: KafkaCluster, start_sidecar: Callable[..., Sidecar], unique: str, cleanup: ExitStack) -> Setup:
    """A topic, a daemon and a journal of the test's own."""
    return Setup(kafka, start_sidecar(), unique, cleanup)


def test_continue_skips_failing_records(setup: Setup) -> None:
    failing = [0, 1500, 1501, COUNT - 1]
    job = setup.job(on_error="continue", fail={str(each): -1 for each in failing})
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but(*failing)
    assert setup.journal.count("fail") == len(failing)
    result = setup.journal.result()
    assert (result["processed"], result["failed"], result["retried"]) == (COUNT, len(failing), 0)
    assert result["skipped"] == len(failing)
    assert setup.daemon.text().count("told to fail at") >= 1


def test_retry_succeeds_within_the_attempts(setup: Setup) -> None:
    failing = {"0": 1, "1000": 2, "1001": 3, str(COUNT - 1): 3}
    job = setup.job(on_error="retry", max_retries=3, retry_backoff_ms=[20, 40], fail=failing)
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but()
    assert setup.journal.count("fail") == 9
    assert setup.journal.out_of_order() == []
    result = setup.journal.result()
    assert (result["succeeded"], result["retried"], result["skipped"]) == (COUNT, 9, 0)


def test_retry_that_is_exhausted_goes_on(setup: Setup) -> None:
    job = setup.job(on_error="retry", max_retries=2, retry_backoff_ms=[10], fail={"7": -1, "2000": -1})
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but(7, 2000)
    # One attempt and two more, each.
    assert setup.journal.count("fail") == 6
    assert setup.journal.out_of_order() == []
    result = setup.journal.result()
    assert (result["retried"], result["skipped"]) == (4, 2)


def test_retry_keeps_the_order_of_its_partition_and_lets_others_go_on(setup: Setup) -> None:
    # Value 0 is the first of partition 0; its backoff holds that partition alone.
    job = setup.job(on_error="retry", max_retries=1, retry_backoff_ms=[3000], fail={"0": 1})
    wait_until(lambda: setup.journal.count("done") >= COUNT * 2 // 3, 30, "the other partitions are finished")
    assert not [place for place in setup.journal.places() if place[1] == 0]
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but()
    assert [place[2] for place in setup.journal.places() if place[1] == 0] == list(range(COUNT // PARTITIONS))


def test_stop_commits_what_precedes_and_not_the_failed_record(setup: Setup) -> None:
    job = setup.job(on_error="stop", fail={"1500": -1})
    assert job.wait() == 1, job.process.tail()
    result = setup.journal.result()
    assert result["stop_reason"] == "policy"
    assert "told to fail at 1500" in result["error"]
    offset = 1500 // PARTITIONS
    found = committed(setup.servers, setup.group, setup.topic)
    assert found[1500 % PARTITIONS] == offset
    assert setup.daemon.process.running()
    # It comes again, and nothing that was finished does.
    done = len(setup.journal.places())
    job = setup.job(on_error="stop")
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but()
    assert done < COUNT
    assert sum(end_offsets(setup.servers, setup.topic).values()) == COUNT


def test_a_stop_during_a_backoff_is_prompt_and_commits_nothing_of_it(setup: Setup) -> None:
    job = setup.job(on_error="retry", max_retries=5, retry_backoff_ms=[3_600_000], fail={"0": -1})
    wait_until(lambda: setup.journal.count("done") >= COUNT * 2 // 3, 60, "the other partitions are finished")
    assert job.stop(15) == 0, job.process.tail()
    assert committed(setup.servers, setup.group, setup.topic).get(0, 0) == 0
    job = setup.job()
    wait_committed_to_end(setup.servers, setup.group, setup.topic)
    assert job.stop() == 0, job.process.tail()
    assert setup.all_done_but()
