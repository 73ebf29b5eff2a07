"""The common starting weights of all rows of a table: what the option says, as overrides and as a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crepitus.errors import UsageError
from crepitus.methods.base import MethodConfig
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.weights import sha256_of

KNOWN = ("imagenet", "random")


@dataclass(frozen=True)
class StartingWeights:
    """What the option `--weights` says.

    Attributes:
        everywhere: "imagenet", "random" or a file for every backbone; empty leaves each row's configuration.
        by_backbone: the same for backbones of one name.
    """

    everywhere: str = ""
    by_backbone: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> StartingWeights:
        """From "imagenet", "random", "FILE" or "BACKBONE=FILE", repeated.

        Raises:
            UsageError: a file that is none, or several for every backbone.
        """
        everywhere, named = "", []
        for text in texts:
            backbone, separator, rest = text.partition("=")
            # A file may have a "=" in its name; a backbone is no path.
            named_backbone = bool(separator) and "/" not in backbone and not Path(text).exists()
            value = rest if named_backbone else text
            if value not in KNOWN and not Path(value).is_file():
                raise UsageError(
                    f"--weights: expected {', '.join(KNOWN)} or a safetensors file, there is no {value!r}"
                )
            if named_backbone:
                named.append((backbone, value))
            elif everywhere:
                raise UsageError("--weights: expected one for all backbones; name others as BACKBONE=FILE")
            else:
                everywhere = value
        return cls(everywhere, tuple(named))

    def overrides(self, config: MethodConfig) -> tuple[str, ...]:
        """Overrides for a row of that configuration, for each of its backbones; none where it has none."""
        found: list[str] = []
        for field, backbone in backbones(config):
            value = dict(self.by_backbone).get(backbone.name, self.everywhere)
            if not value:
                continue
            sha256 = "" if value in KNOWN else sha256_of(Path(value))
            named = json.dumps(value if value in KNOWN else str(Path(value).resolve()))
            found += [f"{field}.weights={named}", f'{field}.weights_sha256="{sha256}"']
        return tuple(found)


def backbones(config: MethodConfig) -> list[tuple[str, BackboneConfig]]:
    """The backbones of a configuration that start from weights, and the fields they stand in."""
    return [(field, value) for field, value in config if isinstance(value, BackboneConfig)]


def starting_point(config: MethodConfig) -> str:
    """In words, what a row starts from, for example "resnet50: imagenet"."""
    named = []
    for _, backbone in backbones(config):
        name = backbone.weights if backbone.weights in KNOWN else Path(backbone.weights).name
        sha256 = f", SHA-256 {backbone.weights_sha256}" if backbone.weights_sha256 else ""
        named.append(f"{backbone.name}: {name}{sha256}")
    return "; ".join(named) or "random weights, no backbone"
