"""What the tests of the client share."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datapy_kafka
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_sidecar import TIMEOUT_S, FakeSidecar  # noqa: E402


@pytest.fixture
def sidecar() -> Iterator[FakeSidecar]:
    """A fake sidecar on a socket of its own, with a short path."""
    with tempfile.TemporaryDirectory() as folder, FakeSidecar(Path(folder)) as fake:
        yield fake


class Job(threading.Thread):
    """A call in a thread of its own, whose result or error is kept."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        """Waits for the end; returns what the call returned or raises what it raised."""
        self.join(TIMEOUT_S)
        assert not self.is_alive(), "the call has not ended"
        if self._error is not None:
            raise self._error
        return self._result


class Consuming(Job):
    """A consume call of the client in a thread, with a controller to stop it."""

    def __init__(self, sidecar: FakeSidecar, handler: Callable[[Any], Any], connect_timeout_s: float | None = None,
                 **options: Any) -> None:
        self.controller = options.pop("controller", None) or datapy_kafka.StreamController()
        client = datapy_kafka.connect(sidecar.address, connect_timeout_s=connect_timeout_s)
        settings = {"topics": ["orders"], "group_id": "g", **options}
        super().__init__(lambda: client.consume(handler=handler, controller=self.controller, **settings))

    def stop(self) -> Any:
        self.controller.request_stop()
        return self.result()


@pytest.fixture
def consuming(sidecar: FakeSidecar) -> Iterator[Callable[..., Consuming]]:
    """Starts consume calls that end with the test."""
    started: list[Consuming] = []

    def start(handler: Callable[[Any], Any], **options: Any) -> Consuming:
        started.append(Consuming(sidecar, handler, **options))
        return started[-1]

    yield start
    for one in started:
        one.controller.cleanup()
        one.controller.request_stop()
    sidecar.stop()
    for one in started:
        one.join(TIMEOUT_S)
        assert not one.is_alive(), "a consume call outlived its test"
