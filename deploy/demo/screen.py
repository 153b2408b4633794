"""What the demo shows. A job needs none of this; see job.py for what it does need."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]
Answer = dict[str, str]

_ON_TERMINAL = sys.stdout.isatty()
_COLOURS = _ON_TERMINAL and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
_DIM, _RED, _GREEN, _YELLOW, _BOLD = "2", "31", "32", "33", "1"
_UNICODE = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
_ARROW = "→" if _UNICODE else "->"


def _paint(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if _COLOURS else text


class Screen:
    """One line a record, and below them a line of totals that is kept up to date."""

    def __init__(self, kafka: Any, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._begun = time.monotonic()
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._records = self._retries = self._skipped = 0
        self._totals = ""
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    # What job.py calls ------------------------------------------------------

    def payment_works(self, order: Message) -> bool:
        """A service that is busy now and then: every 11th order needs a second attempt."""
        number = order["order_id"]
        return number % 11 != 5 or self._attempts[("payment", number)] > 0

    def watch(self, handle: Callable[[Message], Answer]) -> Callable[[Message], Answer]:
        """The handler, with what it raises shown before it goes its way to the daemon."""
        def watched(message: Message) -> Answer:
            try:
                return handle(message)
            except KeyError as missing:
                self._show_failure(message, f"the order has no {missing.args[0]}", attempts=3)
                raise
        return watched

    def succeeded(self, message: Message, order: Message, invoice: Message) -> Answer:
        """Shows a record that is done."""
        again = self._attempts.pop((message["partition"], message["offset"]), 0)
        with self._lock:
            self._records += 1
        total = f"{invoice['total_cents'] / 100:7.2f} EUR"
        note = _paint(f"   attempt {again + 1} worked", _GREEN) if again else ""
        self._line(f"{_place(message)}  {order['customer']:<6} {order['quantity']} x {order['item']:<7}"
                   f"{_ARROW} invoice {total}{note}")
        return {"status": "success"}

    def failed(self, message: Message, order: Message, reason: str) -> Answer:
        """Shows a record that failed and will come again."""
        self._attempts[("payment", order["order_id"])] += 1
        self._show_failure(message, reason, attempts=3)
        return {"status": "error", "error": reason}

    def summary(self, result: Any, stop_reason: str) -> None:
        """Shows what the run came to."""
        self._erase()
        print(_paint(f"\nStopped by {stop_reason}.", _BOLD), "The record at hand was finished and its ack sent;\n"
              "what the job had not begun stays in Kafka for its next run.")
        for name, value in (("calls of the handler", result.processed), ("records processed", result.succeeded),
                            ("retries", result.retried), ("given up and skipped", result.skipped),
                            ("seconds", f"{result.duration_s:.1f}"),
                            ("clean stop", "yes: all that was acked is committed" if result.clean else "no")):
            print(f"  {name:<22} {value}")
        places = [f"{topic}[{partition}]={offset}" for (topic, partition), offset in sorted(result.committed.items())]
        print(f"  {'committed':<22} {', '.join(places) or 'nothing'}", flush=True)

    def __enter__(self) -> Screen:
        print("Waiting for Kafka to give the job its partitions (3 s in this broker) ...", flush=True)
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticker.join()

    # How it looks -----------------------------------------------------------

    def _show_failure(self, message: Message, reason: str, attempts: int) -> None:
        place = (message["partition"], message["offset"])
        self._attempts[place] += 1
        last = self._attempts[place] >= attempts
        with self._lock:
            self._skipped += last
            self._retries += not last
        what = "given up: skipped, committed, logged" if last else f"attempt {self._attempts[place]}, comes again"
        self._line(f"{_place(message)}  {_paint(reason, _RED if last else _YELLOW)}: {what}")

    def _line(self, text: str) -> None:
        with self._lock:
            self._erase()
            print(f"{_paint(time.strftime('%H:%M:%S'), _DIM)}  {text}", flush=True)
            self._draw()

    def _erase(self) -> None:
        if _ON_TERMINAL:
            sys.stdout.write("\r\033[K")

    def _draw(self) -> None:
        if _ON_TERMINAL and self._totals:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(_paint(self._totals[:width], _BOLD))
            sys.stdout.flush()

    def _tick(self) -> None:
        interval = 0.5 if _ON_TERMINAL else 5.0
        while not self._ended.wait(interval):
            totals = self._ask_daemon()
            if not totals:
                continue
            with self._lock:
                self._erase()
                self._totals = totals
                if not _ON_TERMINAL:
                    print(totals, flush=True)
                self._draw()

    def _ask_daemon(self) -> str:
        """What the daemon says of this job's session; nothing while there is none."""
        sessions = [each for each in self._kafka.status().sessions if each.group_id == self._group]
        if not sessions or not sessions[0].partitions:
            return ""
        session = sessions[0]
        committed = sum(max(each.committed, 0) for each in session.partitions)
        lag = sum(max(each.lag, 0) for each in session.partitions)
        return (f"{time.monotonic() - self._begun:3.0f} s | {self._records} records | {self._retries} retries | "
                f"{self._skipped} skipped | committed {committed} | lag {lag} | in flight {session.in_flight_records}")


def _place(message: Message) -> str:
    return f"{message['topic']}[{message['partition']}] @{message['offset']:<4}"
