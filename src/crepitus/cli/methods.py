"""`crepitus methods`: every method with its paper, task and supervision."""

from __future__ import annotations

import sys

from crepitus.cli.common import JsonOption, print_json


def methods(as_json: JsonOption = False) -> None:
    """List the methods: name, paper, task, supervision."""
    from crepitus.methods.registry import METHODS

    if as_json:
        keys = ("paper", "task", "supervision")
        print_json({name: {key: getattr(info, key) for key in keys} for name, info in METHODS.items()})
        return
    width = max(map(len, METHODS))
    for info in METHODS.values():
        sys.stdout.write(f"{info.name:<{width}}  {info.paper}; {info.task}; learns from {info.supervision}\n")
