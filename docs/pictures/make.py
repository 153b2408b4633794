"""Makes demo.svg and status.svg: what the demo and `datapy-kafka status --watch` show in a terminal.

    python3 docs/pictures/make.py        # runs deploy/demo.sh for 15 s

Both programs really run, each in a terminal of its own; nothing is drawn by hand.
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLUMNS = 118
CELL, LINE, MARGIN = 7.8, 17, 14
# SGR codes that the programs use, as a colour and further attributes of SVG text.
STYLES = {"1": 'font-weight="bold" fill="#ffffff"', "2": 'fill="#8b949e"', "31": 'fill="#ff7b72"',
          "32": 'fill="#7ee787"', "33": 'fill="#e3b341"'}
CODE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")


class Terminal:
    """As much of a terminal as the two programs use: lines of (character, style)."""

    def __init__(self) -> None:
        self.lines: list[list[tuple[str, str]]] = [[]]
        self._column = 0
        self._style = ""

    def feed(self, text: str) -> Terminal:
        """Takes what a program wrote."""
        while text:
            if found := CODE.match(text):
                self._control(found[1], found[2])
                text = text[found.end():]
                continue
            character, text = text[0], text[1:]
            if character == "\n":
                self.lines.append([])
            elif character == "\r":
                self._column = 0
            elif character >= " ":
                line = self.lines[-1]
                line[self._column:self._column + 1] = [(character, self._style)]
                self._column += 1
        return self

    def _control(self, value: str, kind: str) -> None:
        if kind == "m":
            self._style = value if value in STYLES else ""
        elif kind == "K":
            del self.lines[-1][self._column:]
        elif kind == "J":
            self.lines, self._column = [[]], 0


def svg(lines: list[list[tuple[str, str]]], title: str) -> str:
    """The lines as a picture of a terminal."""
    width = round(COLUMNS * CELL + 2 * MARGIN)
    height = (len(lines) + 1) * LINE + 2 * MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
             'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13">',
             f"<title>{html.escape(title)}</title>",
             f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
             f'<text x="{MARGIN}" y="{MARGIN + 10}" fill="#8b949e">$ {html.escape(title)}</text>']
    for number, line in enumerate(lines):
        y = MARGIN + 10 + (number + 1) * LINE
        column = 0
        while column < len(line):
            end = column
            while end < len(line) and line[end][1] == line[column][1]:
                end += 1
            run = "".join(character for character, _ in line[column:end])
            if run.strip():
                # Its length is given, so that columns stay columns in any font.
                lead = len(run) - len(run.lstrip())
                shown = run.strip()
                style = STYLES.get(line[column][1], 'fill="#c9d1d9"')
                parts.append(f'<text x="{MARGIN + (column + lead) * CELL:.1f}" y="{y}" {style} xml:space="preserve" '
                             f'textLength="{len(shown) * CELL:.1f}">{html.escape(shown)}</text>')
            column = end
    return "\n".join([*parts, "</svg>"]) + "\n"


def start(command: list[str], environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """A program in a terminal of its own, and the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment})
    os.close(theirs)
    return process, ours


def read(terminal: int, until: Callable[[str], bool], seconds: float) -> str:
    """What a program writes until a condition holds or its time is up."""
    text, deadline = b"", time.monotonic() + seconds
    while not until(text.decode(errors="ignore")) and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:  # the program has ended
                break
    return text.decode(errors="ignore")


def main() -> None:
    """Makes both."""
    demo, screen = start(["deploy/demo.sh", "--seconds", "15"], {})
    shown = read(screen, lambda text: "@4" in text, 900)
    address = re.search(r"listens at (unix://\S+)", shown)
    assert address, shown
    status, watched = start(["build/venv/bin/datapy-kafka", "status", "--watch"], {"DATAPY_KAFKA_ADDRESS": address[1]})
    screens = read(watched, lambda _: False, 6)
    status.send_signal(signal.SIGKILL)
    status.wait()
    shown += read(screen, lambda _: demo.poll() is not None, 60)
    assert demo.wait() == 0, shown

    last = [each for each in screens.split("\x1b[H\x1b[2J") if "partition" in each and each.endswith("\n")][-1]
    lines = [line for line in Terminal().feed(last).lines]
    while not lines[-1]:
        lines.pop()
    (HERE / "status.svg").write_text(svg(lines, "datapy-kafka status --watch"))

    lines = Terminal().feed(shown[shown.index("The job is"):]).lines
    end = next(number for number, line in enumerate(lines) if "Stopped by" in "".join(each for each, _ in line))
    picture = lines[max(0, end - 19):end + 9]
    (HERE / "demo.svg").write_text(svg([line[:COLUMNS] for line in picture], "deploy/demo.sh --seconds 15"))


if __name__ == "__main__":
    main()
