"""What a sanitizer reports fails the test, whichever process it was.

The daemon may be one of the presets asan and tsan: its log is not where a test
looks, and an exit code that a test does not ask for goes unnoticed.
"""

from __future__ import annotations

import functools
import os
import re
import uuid
from pathlib import Path

from support.paths import LOGS

_REPORTS = LOGS / "sanitizer" / uuid.uuid4().hex[:8]


def watch() -> None:
    """From now on all processes that are started here write their reports into a folder of this run."""
    _REPORTS.mkdir(parents=True, exist_ok=True)
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        given = [os.environ[name]] if name in os.environ else []
        os.environ[name] = ":".join([*given, f"log_path={_REPORTS / 'report'}", "handle_abort=1"])


def assert_no_reports() -> None:
    """Fails with the reports since it was last called; they stay in the folder."""
    found = sorted(_REPORTS.glob("report.*"))
    texts = [path.read_text(errors="replace") for path in found]
    for path in found:
        path.rename(path.with_name(f"seen-{uuid.uuid4().hex[:8]}-{path.name}"))
    assert not texts, "a sanitizer reports:\n" + "\n".join(text[:8000] for text in texts)


@functools.cache
def is_sanitized(binary: str) -> bool:
    """Whether a program is built with a sanitizer."""
    return re.search(rb"\0__[at]san_init\0", Path(binary).read_bytes()) is not None
