"""Carries files between storage and the machine that works on them, around any pool.

A worker only ever sees files of its machine: so decoding keeps its limits of memory and time, a slow network
is never taken for a damaged file, and there is one function for all storage.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from crepitus.data.executor import Executor, Pool
from crepitus.errors import SetAside
from crepitus.scale.remote import Remote

Task = TypeVar("Task")
Result = TypeVar("Result")

_PREFIX = "crepitus-stage-"


class Freight(Protocol):
    """Which files belong to a task and to its result; can be pickled."""

    @property
    def fetches(self) -> bool:
        """Whether files are copied to the machine that works on them."""

    def bring(self, task: Any, folder: Path) -> Any:
        """The task with its files on this machine, copied into `folder` where they are not.

        Raises:
            SetAside: a file cannot be used.
            CrepitusError: this machine cannot see the storage.
        """

    def made(self, task: Any, result: Any) -> list[str]:
        """Names of the files that a result has left in the folder of the options."""


@dataclass(frozen=True)
class Carriage:
    """What is carried, and where to.

    Attributes:
        freight: of the command.
        delivery: folder for finished files behind a URL; None leaves them in the folder of the options.
    """

    freight: Freight
    delivery: Remote | None = None


@dataclass(frozen=True)
class StagedExecutor:
    """Carries files around the pools of another executor of this machine.

    Attributes:
        inner: executor that does the work.
        carriage: what is carried.
        threads: transfers at the same time.
    """

    inner: Executor
    carriage: Carriage
    threads: int = 8

    def pool(self, function: Callable[[Any, Any], Any], options: Any) -> StagedPool[Any, Any]:
        """A pool whose tasks and results may lie in storage behind URLs."""

        def make(folder: Path) -> Pool[Any, Any]:
            here = options if self.carriage.delivery is None else replace(options, folder=folder)
            return self.inner.pool(function, here)

        return StagedPool(make, self.carriage, self.threads)


class StagedPool(Generic[Task, Result]):
    """Fetches in advance, runs, delivers; use as a context manager.

    Args:
        make: the pool that runs, for a folder of finished files.
        carriage: what is carried.
        threads: transfers at the same time.
    """

    def __init__(
        self, make: Callable[[Path], Pool[Task, Result]], carriage: Carriage, threads: int = 8
    ) -> None:
        self._carriage = carriage
        self._threads = threads
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._made = self._folder / "made"
        self._made.mkdir()
        self._pool = make(self._made)

    @property
    def replaced(self) -> int:
        """Worker processes that a task had ended."""
        return self._pool.replaced

    @replaced.setter
    def replaced(self, count: int) -> None:
        self._pool.replaced = count

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._pool.__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | SetAside]]:
        """Every task once with its result, which is only given when its files are delivered."""
        refused: deque[tuple[Task, SetAside]] = deque()
        given: dict[int, _Arrival[Task]] = {}
        leaving: deque[tuple[Task, Result | SetAside, Future[None]]] = deque()
        with ThreadPoolExecutor(self._threads) as threads:
            try:
                for local, answer in self._pool.run(self._arriving(iter(tasks), threads, given, refused)):
                    arrival = given.pop(id(local))
                    leaving.append((arrival.task, answer, threads.submit(self._leave, arrival, answer)))
                    while leaving and (leaving[0][2].done() or len(leaving) > 2 * self._threads):
                        yield _delivered(leaving.popleft())
                    while refused:
                        yield refused.popleft()
                while leaving:
                    yield _delivered(leaving.popleft())
                yield from refused
            finally:
                threads.shutdown(cancel_futures=True)

    def _arriving(
        self,
        tasks: Iterator[Task],
        threads: ThreadPoolExecutor,
        given: dict[int, _Arrival[Task]],
        refused: deque[tuple[Task, SetAside]],
    ) -> Iterator[Task]:
        """Tasks with their files on this machine, in order; as many as there are threads come in advance."""
        coming: deque[tuple[Task, Future[_Arrival[Task]]]] = deque()
        while True:
            while len(coming) < self._threads:
                try:
                    task = next(tasks)
                except StopIteration:
                    break
                coming.append((task, threads.submit(self._bring, task)))
            if not coming:
                return
            task, future = coming.popleft()
            try:
                arrival = future.result()
            except SetAside as error:
                refused.append((task, error))
                continue
            given[id(arrival.local)] = arrival
            yield arrival.local

    def _bring(self, task: Task) -> _Arrival[Task]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            return _Arrival(task, self._carriage.freight.bring(task, folder), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _leave(self, arrival: _Arrival[Task], answer: Result | SetAside) -> None:
        """Deliver what a task has made, and remove what was fetched for it."""
        shutil.rmtree(arrival.folder, ignore_errors=True)
        delivery = self._carriage.delivery
        if delivery is None or isinstance(answer, SetAside):
            return
        for name in self._carriage.freight.made(arrival.task, answer):
            delivery.put(self._made / name, name)
            (self._made / name).unlink()


@dataclass(frozen=True)
class _Arrival(Generic[Task]):
    """A task as it was given, as it is here, and the folder of what was fetched for it."""

    task: Task
    local: Task
    folder: Path


def _delivered(
    leaving: tuple[Task, Result | SetAside, Future[None]],
) -> tuple[Task, Result | SetAside]:
    task, answer, future = leaving
    future.result()
    return task, answer


def _sweep() -> None:
    """Remove what processes that were killed have left on this machine: it may identify patients."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        found = re.match(rf"{_PREFIX}(\d+)-", folder.name)
        with suppress(OSError):
            if found and folder.stat().st_uid == os.getuid() and not Path("/proc", found[1]).exists():
                shutil.rmtree(folder, ignore_errors=True)
