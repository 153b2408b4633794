"""StreamController: ends a consumer's loop on SIGTERM, SIGINT or a request."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StreamController:
    """Tells any number of consumers, in any threads, when to stop.

    Made in the main thread it takes SIGTERM and SIGINT over until `cleanup()`,
    or the end of a `with` block, gives them back. Made in another thread it
    takes no signals; `request_stop()` works all the same. A second signal ends
    the process at once.
    """

    def __init__(self) -> None:
        """Registers the handlers, where this thread may."""
        # The flag goes first: Event.set() in a handler that interrupted the
        # same call would wait for itself for ever.
        self._requested = False
        self._event = threading.Event()
        self._signalled = False
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._originals: dict[int, Any] = {}
        self.stop_reason = ""
        self.handles_signals = threading.current_thread() is threading.main_thread()
        if self.handles_signals:
            for number in _SIGNALS:
                self._originals[number] = signal.signal(number, self._on_signal)

    def should_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def is_shutdown_initiated(self) -> bool:
        """Whether a stop was asked for; another name of `should_stop`."""
        return self._event.is_set()

    def request_stop(self, reason: str = "request_stop()") -> None:
        """Asks every consumer of this controller to stop after its record."""
        if self._requested:
            return
        self.stop_reason = reason
        self._requested = True
        self._event.set()
        for listener in list(self._listeners):
            listener()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Calls `listener` at the stop request, maybe inside a signal handler."""
        with self._lock:
            self._listeners = [*self._listeners, listener]
        if self._requested:
            listener()

    def remove_listener(self, listener: Callable[[], None]) -> None:
        """Undoes `add_listener`."""
        with self._lock:
            self._listeners = [one for one in self._listeners if one != listener]

    def cleanup(self) -> None:
        """Gives the signals back to their original handlers."""
        originals, self._originals = self._originals, {}
        for number, handler in originals.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def __enter__(self) -> StreamController:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.cleanup()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            os._exit(128 + number)
        self._signalled = True
        self.request_stop(signal.Signals(number).name)
