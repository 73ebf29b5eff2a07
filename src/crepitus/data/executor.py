"""Who does the work on many files: processes of this machine; `scale` adds a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from crepitus.dicom.pool import Limits, WorkerPool
from crepitus.errors import SetAside

Task = TypeVar("Task")
Result = TypeVar("Result")
Answer = TypeVar("Answer", covariant=True)


class Options(Protocol):
    """What a function needs to know beside its task; a dataclass that can be pickled."""

    @property
    def folder(self) -> Path:
        """Where finished files go."""


Settings = TypeVar("Settings", bound=Options)


class Pool(Protocol[Task, Answer]):
    """Runs one function on many tasks; use as a context manager."""

    replaced: int
    """Worker processes that a task had ended."""

    def __enter__(self) -> Self:
        """Ready to run."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all that still runs."""

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer | SetAside]]:
        """Every task once with its result, in any order; tasks are taken as they can be done.

        Raises:
            CrepitusError: something that is no reason to set a single task aside.
        """


class Executor(Protocol):
    """Makes pools."""

    def pool(self, function: Callable[[Settings, Task], Result], options: Settings) -> Pool[Task, Result]:
        """A pool that runs `function(options, task)`, a function of a module, in killable processes."""


@dataclass(frozen=True)
class LocalExecutor:
    """Processes of this machine.

    Attributes:
        workers: number of processes.
        limits: of each task.
    """

    workers: int = 1
    limits: Limits | None = None

    def pool(self, function: Callable[[Settings, Task], Result], options: Settings) -> Pool[Task, Result]:
        """A pool of worker processes."""
        return WorkerPool(partial(function, options), self.workers, self.limits)
