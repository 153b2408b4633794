"""Where things are, and the one way in which tests start processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "test-logs"
GRPCURL = BUILD / "tools" / "grpcurl"

T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    """Loopback TCP ports that nothing listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_until(condition: Callable[[], T], timeout_s: float, what: str, interval_s: float = 0.05) -> T:
    """The first true value of `condition`; AssertionError naming `what` when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(interval_s)


class Process:
    """A child process with its output in a file.

    The kernel kills it when the test run dies (setpriv --pdeathsig): start it
    from a thread that lives as long as it is needed, in practice the main one.
    """

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str] | None = None,
                 cwd: Path | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)

    @property
    def pid(self) -> int:
        """Of the process itself: setpriv replaces itself by it."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._popen.poll()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.returncode is None

    def signal(self, number: int) -> None:
        """Sends a signal to it and to its own children, unless it has ended."""
        if self.running():
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> int:
        """Its exit code; AssertionError with the end of its log when it does not end."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.log.name} still runs after {timeout_s:g} s:\n{self.tail()}") from None

    def terminate(self, timeout_s: float = 40) -> int:
        """SIGTERM, then its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def try_to_end(self, timeout_s: float) -> None:
        """SIGTERM, also when it is stopped; whether it ends in time or not."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL, also when it is stopped, and waits for the end."""
        self.signal(signal.SIGKILL)
        self._popen.wait(30)

    def text(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 30) -> str:
        """The last lines that it has printed."""
        return "\n".join(self.text().splitlines()[-lines:])
