"""Python jobs as processes of their own, and the journal that they keep.

A job writes one line before it begins a record and one when it has finished it,
each with one write() to a file opened for appending, so that kill -9 loses
none. tests/support/recorder.py is the job that does so.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import LOGS, ROOT, Process

RECORDER = Path(__file__).parent / "recorder.py"


@dataclass(frozen=True)
class Entry:
    """A line of the journal."""

    # "begin", "done", "fail", or "result" for what consume() returned.
    event: str
    run: str
    topic: str = ""
    partition: int = -1
    offset: int = -1
    key: Any = None
    value: Any = None
    result: dict[str, Any] | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """What identifies a record."""
        return self.topic, self.partition, self.offset


class Journal:
    """The file that jobs append to; several runs of a job share it."""

    def __init__(self, name: str) -> None:
        self.path = LOGS / "journal" / f"{name}-{uuid.uuid4().hex[:8]}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def entries(self) -> Iterator[Entry]:
        """All entries in the order of writing; a last line that is not complete is left out."""
        for line in self.path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield Entry(**json.loads(line))

    def count(self, event: str) -> int:
        """How many entries of a kind; reads no JSON, so it is cheap to poll."""
        return self.path.read_bytes().count(b'{"event": "%s"' % event.encode())

    def places(self, event: str = "done") -> list[tuple[str, int, int]]:
        """(topic, partition, offset) of every entry of a kind, in order."""
        return [entry.place for entry in self.entries() if entry.event == event]

    def result(self) -> dict[str, Any]:
        """What the last run of consume() returned."""
        results = [entry.result for entry in self.entries() if entry.event == "result"]
        assert results and results[-1] is not None, "no run of the job has ended by itself"
        return results[-1]

    def repeated(self, event: str = "done") -> dict[tuple[str, int, int], int]:
        """Records that occur more than once, with their counts."""
        return {place: count for place, count in Counter(self.places(event)).items() if count > 1}

    def out_of_order(self) -> list[tuple[tuple[str, int, int], int]]:
        """Records finished for the first time after a later one of their partition."""
        last: dict[tuple[str, int], int] = {}
        seen: set[tuple[str, int, int]] = set()
        wrong = []
        for place in self.places():
            if place in seen:
                continue
            seen.add(place)
            partition = place[:2]
            if place[2] < last.get(partition, -1):
                wrong.append((place, last[partition]))
            last[partition] = max(place[2], last.get(partition, -1))
        return wrong


class Job:
    """A Python script in the interpreter of the tests, with its output in a file."""

    def __init__(self, name: str, script: Path, arguments: list[str], env: dict[str, str] | None = None) -> None:
        self._script = script
        self._arguments = arguments
        self._env = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT / "tests"), **(env or {})}
        self.log = LOGS / "job" / f"{name}-{uuid.uuid4().hex[:8]}.log"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running, or last, process."""
        assert self._process is not None, "the job was never started"
        return self._process

    def start(self) -> Job:
        """Starts it, also again after it has ended."""
        self._process = Process([sys.executable, str(self._script), *self._arguments], self.log, self._env)
        return self

    def stop(self, timeout_s: float = 45) -> int:
        """SIGTERM; the exit code."""
        return self.process.terminate(timeout_s)

    def wait(self, timeout_s: float = 60) -> int:
        """Its exit code once it has ended by itself."""
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def close(self) -> None:
        """Ends it, however."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Job:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def recorder(name: str, journal: Journal, address: str, topics: list[str], group: str, **options: Any) -> Job:
    """A job that records all it is given. Options are those of recorder.py and of consume()."""
    settings = {"topics": topics, "group_id": group, **options}
    return Job(name, RECORDER, [str(journal.path), json.dumps(settings)], {"DATAPY_KAFKA_ADDRESS": address})
