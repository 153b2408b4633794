"""Puts the mods into a DataPy installation, takes them out, or says how it stands."""

from __future__ import annotations

import datetime
import filecmp
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

from ._declarations import CONFIG_SCHEMA, METADATA, MODS
from ._errors import InvalidArgument

TREE = Path(__file__).parent / "datapy_tree"
FILES = tuple(sorted(path.relative_to(TREE) for path in TREE.rglob("*.py")))


def find_package(root: Path | None) -> Path:
    """Returns the folder of the `datapy` package."""
    if root is None:
        spec = importlib.util.find_spec("datapy")
        if spec is None or not spec.origin:
            raise InvalidArgument("this Python imports no datapy; give its folder with --datapy-root")
        return Path(spec.origin).parent
    for package in (root / "datapy", root / "src" / "datapy", root):
        if (package / "__init__.py").is_file() and (package / "mod_manager").is_dir():
            return package.resolve()
    raise InvalidArgument(f"{root} holds no datapy package (a folder with __init__.py and mod_manager)")


def registry_entry(mod: str) -> dict[str, Any]:
    """Returns a mod's entry as `register-mod` writes it."""
    return {"module_path": f"datapy.mods.streaming.{mod}", **METADATA[mod],
            "config_schema": CONFIG_SCHEMA[mod]}


def _read_registry(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"_metadata": {}, "mods": {}}
    try:
        registry = json.loads(path.read_text(encoding="utf-8"))
        registry.setdefault("mods", {})
        return dict(registry)
    except (ValueError, AttributeError) as error:
        raise InvalidArgument(f"{path} is no registry of DataPy ({error}); repair it first") from None


def _write_registry(path: Path, registry: dict[str, Any]) -> None:
    # In one step: a job that starts meanwhile reads the old one or the new one.
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(registry, indent=2) + "\n", encoding="utf-8")
    if path.exists():
        shutil.copymode(path, fresh)
    os.replace(fresh, path)


def _entry_is_ours(registry: dict[str, Any], mod: str) -> bool:
    present = registry["mods"].get(mod)
    return present is not None and {key: one for key, one in present.items()
                                    if key != "registered_at"} == registry_entry(mod)


def run(root: Path | None, *, uninstall: bool = False, check: bool = False) -> int:
    """Does what the command was asked for, says so, and returns its exit code."""
    package = find_package(root)
    path = package / "mod_registry.json"
    registry = _read_registry(path)
    try:
        if check:
            return _check(package, registry)
        return _uninstall(package, path, registry) if uninstall else _install(package, path, registry)
    except OSError as error:
        raise InvalidArgument(f"cannot change {package}: {error}") from error


def _check(package: Path, registry: dict[str, Any]) -> int:
    wrong = [f"{package / file}: " + ("differs" if (package / file).exists() else "missing") for file in FILES
             if not (package / file).exists() or not filecmp.cmp(TREE / file, package / file, shallow=False)]
    wrong += [f"mod {mod}: not registered, or otherwise" for mod in MODS if not _entry_is_ours(registry, mod)]
    print("\n".join(wrong) or f"The Kafka mods are installed in {package}.")
    return 1 if wrong else 0


def _install(package: Path, path: Path, registry: dict[str, Any]) -> int:
    changed = 0
    for file in FILES:
        target = package / file
        if target.exists() and filecmp.cmp(TREE / file, target, shallow=False):
            continue
        for folder in (package / "mods", target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        print(f"{'replaced' if target.exists() else 'wrote'} {target}")
        shutil.copyfile(TREE / file, target)
        changed += 1
    for mod in MODS:
        if not _entry_is_ours(registry, mod):
            print(f"registered {mod}")
            registry["mods"][mod] = {**registry_entry(mod),
                                     "registered_at": datetime.datetime.now().isoformat()}
            changed += 1
    if changed or not path.exists():
        _write_registry(path, registry)
    print(f"The Kafka mods are installed in {package}." if changed else f"Nothing to do in {package}.")
    return 0


def _uninstall(package: Path, path: Path, registry: dict[str, Any]) -> int:
    removed = 0
    for file in FILES:
        if (package / file).exists():
            (package / file).unlink()
            print(f"removed {package / file}")
            removed += 1
    streaming = package / "mods" / "streaming"
    if streaming.is_dir():
        shutil.rmtree(streaming / "__pycache__", ignore_errors=True)
        if not any(streaming.iterdir()):
            streaming.rmdir()
    gone = [mod for mod in MODS if registry["mods"].pop(mod, None) is not None]
    if gone:
        _write_registry(path, registry)
        print(f"took out of the registry: {', '.join(gone)}")
    print(f"The Kafka mods are gone from {package}." if removed or gone else f"Nothing to do in {package}.")
    return 0
