"""A topic under load, with independent eyes on it: what makes a history.

    with Load(kafka, "orders", partitions=6) as load:
        daemon, job = load.member()
        with load.fault("kill -9 daemon"):
            daemon.kill()
            daemon.start()
        verdict = load.finish()
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from support.jobs import Job, Journal
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar
from support.verify import read_all, wait_committed_to_end

from chaos.checker import Verdict, check
from chaos.history import Fault, History, Produced, Sample, read_steps

JOB = Path(__file__).with_name("job.py")


class Load:
    """A producer of unique values, a sampler of commits, and the members of one group."""

    def __init__(self, kafka: KafkaCluster, name: str, partitions: int = 6, rate: int = 200,
                 replication: int = 1, backlog: int = 3000) -> None:
        self.kafka = kafka
        self.name = name
        self.partitions = partitions
        self.topic = kafka.create_topic(name, partitions, replication)
        self.journal = Journal(name)
        self.history = History()
        self.errors: list[str] = []
        self._rate = rate
        # Written at once, so that faults meet a full window and not an idle job.
        self._backlog = backlog
        self._stack = ExitStack()
        self._stop_producing = threading.Event()
        self._stop_sampling = threading.Event()
        self._members = 0
        # How far the journal has been read, and the finishes until there.
        self._read_to = 0
        self._finished = 0
        self._threads = [threading.Thread(target=self._produce, name="chaos-producer"),
                         threading.Thread(target=self._sample, name="chaos-sampler")]

    def member(self, daemon_bootstrap: str | None = None, sleep_s: float = 0.002,
               **options: Any) -> tuple[Sidecar, Job]:
        """A daemon and a job beside it, started, in this load's group."""
        name = f"{self.name}-{self._members}"
        self._members += 1
        daemon = self._stack.enter_context(Sidecar(name, daemon_bootstrap or self.kafka.bootstrap_servers))
        settings = {"topics": [self.topic], "group_id": self.name, "sleep_s": sleep_s,
                    "properties": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}, **options}
        job = Job(name, JOB, [str(self.journal.path), json.dumps(settings)],
                  {"DATAPY_KAFKA_ADDRESS": daemon.address})
        self._stack.enter_context(job)
        return daemon, job

    def finished(self) -> int:
        """How many finishes the journal holds."""
        with self.journal.path.open("rb") as file:
            file.seek(self._read_to)
            whole_lines = file.read()
            whole_lines = whole_lines[:whole_lines.rfind(b"\n") + 1]
        self._read_to += len(whole_lines)
        self._finished += whole_lines.count(b"done\t")
        return self._finished

    def wait_progress(self, more: int = 50, timeout_s: float = 90) -> None:
        """Until so many more records are finished: the system works."""
        target = self.finished() + more
        wait_until(lambda: self.finished() >= target, timeout_s, f"{more} more records are finished", 0.1)

    @contextmanager
    def fault(self, what: str, repeats: bool = True, zombies: bool = False,
              aftermath_s: float = 0) -> Iterator[None]:
        """Notes what the block does; ends when records of after the block are finished and commits go on.

        While a coordinator is away, records are finished that nobody can commit:
        a member that is out of its group by then gets them again. With several
        members that may be another's: `aftermath_s` is how long the one that was
        hit may take to notice.
        """
        begin = time.monotonic()
        yield
        committed = self._committed()
        self.wait_progress()
        wait_until(lambda: self._committed() > committed, 90, "commits go on", 0.1)
        self.history.faults.append(Fault(what, begin, time.monotonic() + aftermath_s, repeats, zombies))

    def _committed(self) -> int:
        """How many records lie below the commits that were seen last."""
        return sum({each.partition: each.offset for each in list(self.history.samples)}.values())

    def finish(self, patience_s: float = 90) -> Verdict:
        """Ends the load, waits until the group has committed all of it, and judges.

        However long that takes, so long as records are finished meanwhile.
        """
        self._stop_producing.set()
        self._threads[0].join()
        assert not self.errors, f"the load's own producer failed: {self.errors[:3]}"
        late, before = "", -1
        while self.finished() > before:
            before = self.finished()
            try:
                wait_committed_to_end(self.kafka.bootstrap_servers, self.name, self.topic, patience_s)
                late = ""
                break
            except AssertionError as error:
                late = str(error)
        self._stop_sampling.set()
        self._threads[1].join()
        self._read_back()
        self.history.steps = list(read_steps(self.journal.path))
        verdict = check(self.history)
        assert not late, f"{late}\n{verdict.report()}"
        return verdict

    def _read_back(self) -> None:
        # What the log holds is what was produced: a batch that a broker's crash
        # cut off may stand in it twice, idempotent producer or not.
        confirmed = {(each.partition, each.offset): each.value for each in self.history.produced}
        found = {(each.partition(), each.offset()): each.value().decode()
                 for each in read_all(self.kafka.bootstrap_servers, self.topic, 300)}
        gone = [place for place, value in confirmed.items() if found.get(place) != value]
        assert not gone, f"the broker itself lost {len(gone)} records that it had confirmed: {gone[:5]}"
        self.history.produced = [Produced(*place, value) for place, value in sorted(found.items())]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_producing.set()
        self._stop_sampling.set()
        self._stack.close()
        for thread in self._threads:
            thread.join()

    def _produce(self) -> None:
        def confirmed(error: Any, message: Message) -> None:
            if error is not None:
                self.errors.append(str(error))
            else:
                self.history.produced.append(
                    Produced(message.partition(), message.offset(), message.value().decode()))

        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "enable.idempotence": True,
                             "linger.ms": 5, "log_level": 0, "message.timeout.ms": 900_000})
        count = 0
        begun = time.monotonic()
        while not self._stop_producing.wait(0.01):
            while count < self._backlog + (time.monotonic() - begun) * self._rate:
                try:
                    producer.produce(self.topic, value=str(count), partition=count % self.partitions,
                                     on_delivery=confirmed)
                    count += 1
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        if producer.flush(120):
            self.errors.append("records could not be written within 120 s")

    def _sample(self) -> None:
        # Never joins the group. The admin client's listing is no use here: it
        # gave hardly an answer after its broker was killed.
        eyes = Consumer({"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": self.name, "log_level": 0})
        asked = [TopicPartition(self.topic, each) for each in range(self.partitions)]
        while not self._stop_sampling.wait(0.1):
            with suppress(KafkaException):
                found = eyes.committed(asked, timeout=5)
                now = time.monotonic()
                self.history.samples += [Sample(each.partition, each.offset, now)
                                         for each in found if each.error is None and each.offset > 0]
        eyes.close()
