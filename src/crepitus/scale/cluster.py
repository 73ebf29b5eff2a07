"""Joining a Ray cluster, or starting one on this machine, in silence and without reports to anyone."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
from collections.abc import Iterator
from types import ModuleType

from crepitus.errors import MissingExtraError, UsageError

AUTO = "auto"

_SECONDS_TO_CONNECT = 10.0


def import_ray() -> ModuleType:
    """The library, told not to report its use.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("scale", f"--ray (module {error.name})") from error
    module: ModuleType = ray
    return module


@contextlib.contextmanager
def connected(address: str, cpus: int | None = None) -> Iterator[str]:
    """Join a cluster for the time of a with statement.

    Args:
        address: HOST:PORT of the head node, or `auto`: the cluster that runs on this machine (or that
            RAY_ADDRESS names), and a new one on this machine where there is none.
        cpus: of a new one; None for all.

    Yields:
        a sentence that says which it is.

    Raises:
        UsageError: there is no cluster at the address, or it does not take this machine.
        MissingExtraError: Ray is not installed.
    """
    ray = import_ray()
    if address != AUTO:
        _check(address)
    # Ray prints what it hears of other machines (such as the last lines of the log of one that was lost) to
    # standard output, which is for results.
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):  # noqa: PTH123
        try:
            yield _join(ray, address, cpus)
        finally:
            ray.shutdown()


def _join(ray: ModuleType, address: str, cpus: int | None) -> str:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address != AUTO:
            ray.init(address=address, **quiet)
            return f"ray: joined the cluster at {address}, {_size(ray)}"
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            if os.environ.get("RAY_ADDRESS"):
                raise
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
            return f"ray: found no running cluster, started one on this machine, {_size(ray)}"
        return f"ray: joined the running cluster, {_size(ray)}"
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise UsageError(
            f"--ray {address}: expected a cluster that this machine is part of (ray start on both, with the "
            f"same versions of Python and Ray), got: {reason}"
        ) from error


def _size(ray: ModuleType) -> str:
    alive = [node for node in ray.nodes() if node["Alive"]]
    cpus = sum(node["Resources"].get("CPU", 0) for node in alive)
    return f"{len(alive)} {'machine' if len(alive) == 1 else 'machines'}, {cpus:g} CPUs"


def _check(address: str) -> None:
    """Refuse what cannot be an address, and one where nobody answers: Ray itself would wait for minutes."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})", address)
    if not found:
        raise UsageError(f"--ray: expected auto or HOST:PORT of the cluster's head node, got {address!r}")
    host, port = found[1].strip("[]"), int(found[2])
    try:
        socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--ray {address}: expected the head node of a Ray cluster, nobody answers ({error}); start one "
            "with 'ray start --head --port 6379', or give --ray auto"
        ) from error
