"""Configurations as TOML: reading, overriding with key=value, and errors that name the key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from crepitus.data.writer import write_text
from crepitus.errors import ConfigError

Config = TypeVar("Config", bound=BaseModel)


def load_config(
    config_class: type[Config], path: Path | None = None, overrides: Iterable[str] = ()
) -> Config:
    """A checked configuration from a file and overrides.

    Args:
        config_class: the model that knows the keys and their defaults.
        path: TOML file; None takes the defaults.
        overrides: "table.key=value"; the value is read as TOML, and as text where that fails.

    Raises:
        ConfigError: unreadable file, unknown key or impossible value.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"--config {path}: expected a readable TOML file ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"--config {path}: expected TOML, got: {error}") from error
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override}: expected key=value, for example training.epochs=20")
        values = _with(values, key.strip().split("."), _parse(text.strip()))
    try:
        return config_class.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_first_problem(error, config_class)) from error


def _parse(text: str) -> Any:
    if text == "null":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _with(values: Mapping[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    if len(keys) == 1:
        return {**values, keys[0]: value}
    inner = values.get(keys[0], {})
    if not isinstance(inner, Mapping):
        raise ConfigError(f"--set {'.'.join(keys)}: {keys[0]} is a value, not a table")
    return {**values, keys[0]: _with(inner, keys[1:], value)}


def _first_problem(error: ValidationError, config_class: type[BaseModel]) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"]) or "configuration"
    if problem["type"] == "extra_forbidden":
        known = config_class
        for part in problem["loc"][:-1]:
            annotation = known.model_fields[str(part)].annotation
            if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
                break
            known = annotation
        return f"configuration: unknown key {key}; expected one of {', '.join(known.model_fields)}"
    return f"configuration: {key}: {problem['msg']}, got {problem['input']!r}"


def dump_config(config: BaseModel, path: Path) -> None:
    """Write a configuration as TOML with every key; a null is left out, because it is the default."""
    write_text(path, tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
