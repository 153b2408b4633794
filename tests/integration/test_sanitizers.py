"""What a sanitizer writes fails the test that it came in."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import sanitizer


def test_a_report_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitizer, "_REPORTS", tmp_path)
    sanitizer.assert_no_reports()
    (tmp_path / "report.4711").write_text("WARNING: ThreadSanitizer: data race (pid=4711)")
    with pytest.raises(AssertionError, match="data race"):
        sanitizer.assert_no_reports()
    sanitizer.assert_no_reports()
