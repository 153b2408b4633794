"""Runs the commands of a guide as a reader would, in one shell, and compares what they print.

    guide = Guide(ROOT / "docs/grpcurl.md")
    guide.run({"SOCKET": ...})       # the blocks whose fence says "console"

A line "$ command" begins a command, "> more" goes on with it, the rest is its
output. What differs from run to run (times, ages, ids, ports) is compared by
its kind alone. With DATAPY_KAFKA_WRITE_GUIDES=1 the outputs are written into
the guide instead.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

WRITE = "DATAPY_KAFKA_WRITE_GUIDES"
_END = "=== end of the command ==="
# What differs from run to run, and what stands for it.
_KINDS = [
    (re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"'), '"TIME"'),
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?"), "TIME"),
    (re.compile(r'"timestamp_ms": "\d+"'), '"timestamp_ms": "N"'),
    (re.compile(r'"\d+(\.\d+)?s"'), '"AGE"'),
    (re.compile(r"(?<![\w.])\d+(\.\d+)?s\b"), "AGE"),
    (re.compile(r"\b(up|for|after|attempt \d+,) \d+(\.\d+)? ?(s|min|h)\b"), r"\1 AGE"),
    (re.compile(r"\d+(\.\d+)? s ago"), "AGE ago"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\(git [0-9a-f]+[^)]*\)"), "(git REVISION)"),
    (re.compile(r"librdkafka(_version\": \"|[: (])\d+\.\d+\.\d+"), r"librdkafka\g<1>VERSION"),
    (re.compile(r'"acked_per_second": [\d.e+-]+'), '"acked_per_second": N'),
    (re.compile(r"\d+ records/s"), "N records/s"),
    (re.compile(r"mockCluster[0-9a-f]+"), "CLUSTER"),
    (re.compile(r'"duration_ms": "\d+"'), '"duration_ms": "N"'),
    (re.compile(r"unix:///\S+?(?=[\",\s])"), "unix:///ADDRESS"),
]


@dataclass
class Step:
    """A command with what the guide says that it prints."""

    line: int
    command: str
    output: list[str] = field(default_factory=list)


def of_its_kind(text: str) -> list[str]:
    """The lines of an output, what differs from run to run replaced."""
    for pattern, kind in _KINDS:
        text = pattern.sub(kind, text)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


class Guide:
    """A Markdown file with commands in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_text().splitlines()
        self.steps: list[Step] = []
        # Alternately what is no output and the step whose output follows.
        self._parts: list[str | Step] = []
        inside = False
        for number, line in enumerate(self._lines, 1):
            if line.startswith("```"):
                inside = line == "```console"
            elif inside and line.startswith("$ "):
                self.steps.append(Step(number, line[2:]))
                self._parts += [line, self.steps[-1]]
                continue
            elif inside and line.startswith("> ") and not self.steps[-1].output:
                self.steps[-1].command += "\n" + line[2:]
                self._parts.insert(-1, line)
                continue
            elif inside:
                self.steps[-1].output.append(line)
                continue
            self._parts.append(line)

    def run(self, environment: dict[str, str], timeout_s: float = 120) -> None:
        """Runs all; an assertion that shows the first difference."""
        assert self.steps, f"{self._path} has no commands"
        script = "\n".join(f"{step.command}\necho '{_END}'" for step in self.steps)
        done = subprocess.run(["bash", "-c", script], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False)
        printed = done.stdout.split(_END + "\n")[:-1]
        assert len(printed) == len(self.steps), done.stdout
        if os.environ.get(WRITE):
            self._write(printed)
            return
        for step, text in zip(self.steps, printed, strict=True):
            expected, found = of_its_kind("\n".join(step.output)), of_its_kind(text)
            difference = "\n".join(difflib.unified_diff(expected, found, "the guide", "this run", lineterm=""))
            assert expected == found, f"{self._path.name}:{step.line}: {step.command}\n{difference}"

    def _write(self, printed: list[str]) -> None:
        outputs = iter(printed)
        lines: list[str] = []
        for part in self._parts:
            lines += [part] if isinstance(part, str) else next(outputs).strip("\n").splitlines()
        self._path.write_text("\n".join(lines) + "\n")
