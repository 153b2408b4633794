"""The documents against the tree: links lead somewhere, and the catalogue of the log has what the program logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from style.tree import ROOT, text_of, tracked

LOGS = Path("docs/logs.md")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# The literals of a call's first argument; C++ joins those that follow each other.
CALL = re.compile(r'(?:spdlog::(warn|error|info|critical)|->log)\((?:LevelOf\(level\), )?\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
LEVELS = {"warn": "WARNING", "error": "ERROR", "info": "INFO", "critical": "CRITICAL", None: "any"}


def anchor_of(heading: str) -> str:
    """As a forge makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Of a Markdown file's headings."""
    return {anchor_of(line.lstrip("#").strip()) for line in FENCE.sub("", text).splitlines() if line.startswith("#")}


def broken(path: Path, text: str) -> list[str]:
    """The links of a Markdown file that lead nowhere in the tree."""
    found = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / path.parent / name) if name else ROOT / path
        if not target.exists():
            found.append(f"{path}: {link}: there is no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text() if name else text):
            found.append(f"{path}: {link}: there is no such heading")
    return found


def logged(text: str) -> list[tuple[str, str]]:
    """Level and message of each line that a source file logs; … for what is filled in."""
    found = []
    for level, literals in CALL.findall(text):
        message = "".join(LITERAL.findall(literals)).replace('\\"', '"')
        message = re.sub(r"(\{[^}]*\})+", "…", message)
        if message != "…":
            found.append((LEVELS[level or None], message))
    return found


def catalogue() -> set[tuple[str, str]]:
    """Level and message of each line of docs/logs.md."""
    return set(re.findall(r"^\| (\w+) \| `(.*?)` \|", (ROOT / LOGS).read_text(), re.MULTILINE))


def test_every_link_leads_somewhere() -> None:
    files = tracked("*.md")
    assert len(files) > 10
    found = [bad for path in files for bad in broken(path, text_of(path) or "")]
    assert not found, "\n".join(found)


def test_every_document_is_in_the_index() -> None:
    index = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in LINK.findall((ROOT / "docs/README.md").read_text())}
    for path in tracked("docs/*.md", "client-python/docs/*.md", "deploy/README.md", "tests/README.md", "CONTRIBUTING.md"):
        assert path == Path("docs/README.md") or ROOT / path in index, f"docs/README.md does not name {path}"


def test_the_catalogue_has_every_message() -> None:
    found = [(path, *line) for path in tracked("src/*.cc", "server/*.cc") for line in logged(text_of(path) or "")]
    assert len(found) > 25
    known = catalogue()
    missing = [f"{path}: {level} {message}" for path, level, message in found if (level, message) not in known]
    assert not missing, f"{LOGS} lacks:\n" + "\n".join(missing)


def test_the_catalogue_has_no_message_of_the_past() -> None:
    said = {line for path in tracked("src/*.cc", "server/*.cc") for line in logged(text_of(path) or "")}
    summaries = re.sub(r'"\s*\n\s*"', "", (ROOT / "src/telemetry/summary_log.cc").read_text())
    for level, message in catalogue() - said:
        # Those of the summary are made before they are logged.
        assert re.sub(r"%[\d.]*[a-z]", "…", summaries).count(message.split(";")[0]), f"{LOGS}: {level} {message}"


def test_every_reason_is_explained() -> None:
    reasons = re.findall(r"ERROR_REASON_(\w+) = \d+;", (ROOT / "proto/datapy_kafka/v1/sidecar.proto").read_text())
    explained = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / LOGS).read_text().split("## Reasons")[1],
                           re.MULTILINE)
    assert explained == [each for each in reasons if each != "UNSPECIFIED"]


@pytest.mark.parametrize("text", ["[a](no-such-file.md)", "[a](#no-such-heading)", "[a](../README.md#nowhere)"])
def test_a_broken_link_is_found(text: str) -> None:
    assert len(broken(Path("docs/README.md"), f"# Title\n{text}\n")) == 1
    assert broken(Path("docs/README.md"), f"# Title\n[x](#title)\n```\n{text}\n```\n") == []


def test_a_message_is_found() -> None:
    source = 'spdlog::warn(\n    "a {} of "\n    "{:.1f} \\"b\\"", x, y);\nspdlog::info("{}", line);\nlogger->log(LevelOf(level), "c {}", d);'
    assert logged(source) == [("WARNING", 'a … of … "b"'), ("any", "c …")]
