"""Nothing unfinished and nothing of one machine is in the tree."""

import re
from pathlib import Path

import pytest

from style.tree import text_of, tracked

# Split, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|\bnot (yet )?implem" r"ented\b", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.$}])/(wo" r"rk|ho" r"me/\w+|ro" r"ot)/")
# Registries are for the clients to choose: pip, Maven, go and apt know theirs.
REGISTRY = re.compile(r"https?://[\w.-]*(pypi\.|pythonhosted\.|repo1?\.maven|mvnrepository|npmjs|crates\.io|"
                      r"deb\.debian|proxy\.golang|artifactory|nexus)[\w.-]*", re.IGNORECASE)
# Words that the patterns meet where they mean something else.
SELF = Path("tests/style/test_marks.py")


def marks(path: Path, text: str) -> list[str]:
    """Each line of a file that does not belong in the tree."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        # Upper case alone is a mark: "hack" may be a user's word.
        unfinished = UNFINISHED.search(line)
        if unfinished and (unfinished.group(1) is None or unfinished.group(1).isupper()):
            found.append(f"{path}:{number}: unfinished: {line.strip()}")
        if MACHINE.search(line):
            found.append(f"{path}:{number}: a path of one machine: {line.strip()}")
        if REGISTRY.search(line):
            found.append(f"{path}:{number}: names a package registry: {line.strip()}")
    return found


def test_no_marks() -> None:
    files = [path for path in tracked() if path != SELF]
    assert len(files) > 100
    found = [mark for path in files if (text := text_of(path)) is not None for mark in marks(path, text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("line", [
    "// TO" "DO(me): later", "# FIX" "ME", "/* X" "XX */", "return Unimplemented(\"not implem" "ented\")",
    "cd /wo" "rk/main", "open('/ho" "me/me/x')", "url = https://files.pythonhosted.org/x",
    "<url>https://repo1.maven.org/maven2</url>", "https://nexus.example.com/x"])
def test_a_mark_is_found(line: str) -> None:
    assert marks(Path("some.file"), f"fine\n{line}\n") != []


@pytest.mark.parametrize("line", [
    "mktemp -d /tmp/demo.XX" "XXXX", "build/work/x", "http://maven.apache.org/POM/4.0.0", "$HOME/work/x"])
def test_what_is_none_passes(line: str) -> None:
    assert marks(Path("some.file"), line) == []
