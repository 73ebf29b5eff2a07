"""The key file of a conversion: the salt and the original identifiers, kept apart from the data set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crepitus.errors import UsageError


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        bytes.fromhex(content["salt"])
        return {"salt": str(content["salt"]), "images": list(content["images"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--keys {path}: expected a key file of an earlier conversion or no file, "
            f"got one that cannot be read ({type(error).__name__})"
        ) from error


def read_salt(path: Path | None) -> bytes | None:
    """The salt of an existing key file; None where there is none yet.

    Raises:
        UsageError: the file is something else.
    """
    return bytes.fromhex(_read(path)["salt"]) if path is not None and path.exists() else None


def write_keys(path: Path, salt: bytes, images: Iterable[Mapping[str, Any]]) -> None:
    """Write or extend a key file, readable by its owner only; whole or not at all.

    Args:
        path: of the key file; rows of earlier conversions stay.
        salt: of the project.
        images: `image_id` and what belongs to it; replaces an earlier row of the same image.

    Raises:
        UsageError: there is a key file that cannot be read.
    """
    rows = {row["image_id"]: row for row in (_read(path)["images"] if path.exists() else [])}
    rows |= {row["image_id"]: dict(row) for row in images}
    content = {"salt": salt.hex(), "images": [rows[image_id] for image_id in sorted(rows)]}
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")
    partial.replace(path)
