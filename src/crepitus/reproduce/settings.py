"""What decides a result, kept beside it, so that a folder is gone on with only under the same settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crepitus.data.writer import new_folder, write_text
from crepitus.errors import UsageError

FILE = "settings.json"


def claim_folder(folder: Path, settings: Mapping[str, Any], what: str) -> None:
    """Make a folder for these settings, or go on with one that was made for the same.

    Args:
        folder: new, empty, or one of an earlier call.
        settings: JSON object that decides the result.
        what: names the folder in the message, for example "--out DIR".

    Raises:
        UsageError: the folder holds something else, or was made under other settings.
    """
    path = folder / FILE
    if not path.is_file():
        new_folder(folder)
        write_text(path, json.dumps({"sha256": digest(settings), **settings}, indent=2) + "\n")
        return
    check_folder(folder, settings, what)


def check_folder(folder: Path, settings: Mapping[str, Any], what: str) -> None:
    """Refuse a folder that was made for other settings; one without settings passes.

    Raises:
        UsageError: it was.
    """
    path = folder / FILE
    if not path.is_file():
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: expected JSON, got: {error}; name another --out") from error
    if isinstance(known, dict) and known.get("sha256") == digest(settings):
        return
    earlier = known if isinstance(known, dict) else {}
    key, before, now = _first_difference(earlier, settings)
    raise UsageError(
        f"{what} was made with other settings: {key} was {_short(before)}, now {_short(now)}; "
        "repeat the earlier settings, or name another --out"
    )


def digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any]:
    for key in dict.fromkeys([*now, *before]):
        if key == "sha256":
            continue
        # A key that one of the two lacks: of another version of the program.
        old, new = before.get(key, "absent"), now.get(key, "absent")
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old != new:
            inner, *values = _first_difference(old, new)
            return f"{key}.{inner}", *values
        if old != new:
            return key, old, new
    return "their hash", before.get("sha256"), digest(now)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
