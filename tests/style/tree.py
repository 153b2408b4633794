"""The files that the checks of this folder read: those that git tracks."""

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@lru_cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Tracked files, relative to the root; patterns as git takes them."""
    names = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split("\0")
    return tuple(Path(name) for name in names if name and (ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """The text of a tracked file; None for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
