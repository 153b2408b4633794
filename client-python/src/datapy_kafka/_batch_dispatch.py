"""Calls a handler of batches, and marks each record of a batch by what it returned."""

from __future__ import annotations

from ._batch import Batch
from ._dispatch import Dispatcher
from ._outcome import failures_of, text_of
from ._records import Frame
from ._session import TopicPartition


class BatchDispatcher(Dispatcher):
    """A Dispatcher whose handler gets the records of one partition in a frame at once.

    Under "retry" only the first record that failed is nacked: what follows it
    and failed as well comes again behind it, by the order that the API keeps.
    """

    def dispatch(self, frame: Frame) -> None:
        """Calls the handler for each run of records of a frame."""
        self.take_settings()
        first = 0
        for topic, partition, size, _ in frame.runs:
            self._dispatch_run(frame, (topic, partition), first, first + size)
            first += size

    def _dispatch_run(self, frame: Frame, where: TopicPartition, first: int, last: int) -> None:
        if self.guards(where):
            while first < last and not self._admits(where, frame.offsets[first], frame.first_id + first):
                first += 1
        if first == last:
            return
        batch = Batch(frame, *where, first, last)
        try:
            failures = failures_of(self.handler(batch), len(batch))
        except Exception as error:
            failures = text_of(error)
        if isinstance(failures, str):
            failures = dict.fromkeys(range(len(batch)), failures)
        self._ack_others(frame.first_id + first, len(batch), failures)
        failed = 0
        for index, reason in failures.items():
            at = first + index
            self.failed(where, frame.offsets[at], frame.first_id + at, frame.attempts.get(at, 1), reason)
            failed += 1
            if where in self._awaited or self.owner.on_error == "stop":
                break
        left = len(failures) - failed
        self.owner.count(len(batch) - left, len(batch) - len(failures))

    def _ack_others(self, first_id: int, size: int, failures: dict[int, str]) -> None:
        outbox, begin = self.session.outbox, 0
        for end in [*failures, size]:
            if end > begin:
                outbox.begin_run(first_id + begin)
                outbox.done = first_id + end - 1
            begin = end + 1
        if outbox.idle:
            outbox.wake()
