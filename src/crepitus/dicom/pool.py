"""A pool of worker processes with memory and time limits, in which a fault ends one task and nothing else.

Decoders are C and Rust: a damaged stream can make them abort, loop or allocate without end, and no exception
handler helps against that. So a task runs in a process of its own pool; a worker that dies or takes too long
is replaced, and its task is answered with an error. Workers are spawned, not forked: they share no state.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from crepitus.errors import CrepitusError, Damaged, SetAside, TooLarge

Task = TypeVar("Task")
Result = TypeVar("Result")

_QUEUED = 2
"""Tasks given to a worker: one that runs and one that waits, so that no worker waits for the pool."""

_STARTING_SECONDS = 120.0
"""A worker imports libraries before its first task; that time is not counted as the task's."""


_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What one task may take.

    Attributes:
        memory_bytes: address space beyond what the worker has when it is ready.
        seconds: wall time.
    """

    memory_bytes: int = 1_500 << 20
    seconds: float = 60.0


class _Worker(Generic[Task]):
    """One process, its pipe, and the tasks that it has not answered yet, oldest first."""

    def __init__(self, function: Callable[[Any], Any], limits: Limits) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(function, theirs, limits), daemon=True)
        self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False
        self.since = time.monotonic()

    def give(self, task: Task) -> None:
        if not self.tasks and self.ready:
            self.since = time.monotonic()
        self.tasks.append(task)
        with suppress(OSError):  # it has just died; the pool finds out when it waits
            self.pipe.send(task)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class WorkerPool(Generic[Task, Result]):
    """Runs `function` on tasks in worker processes; use as a context manager.

    Args:
        function: importable by name; takes a task, gives a result, raises `CrepitusError`.
        workers: number of processes.
        limits: of each task.
    """

    def __init__(
        self, function: Callable[[Task], Result], workers: int, limits: Limits | None = None
    ) -> None:
        self._function = function
        self._limits = limits or Limits()
        self._count = max(1, workers)
        self._workers: list[_Worker[Task]] = []
        self.replaced = 0
        """Workers that died or were ended because of a task."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | SetAside]]:
        """Results as they come, each with its task; at most two tasks per worker are taken in advance.

        Raises:
            CrepitusError: one of `function` that is no reason to set a single task aside.
        """
        waiting = iter(tasks)
        again: deque[Task] = deque()
        exhausted = False
        while True:
            exhausted = self._hand_out(waiting, again, exhausted)
            busy = [worker for worker in self._workers if worker.tasks]
            if not busy:
                return
            pipes = {worker.pipe: worker for worker in busy}
            for pipe in wait(list(pipes), timeout=self._patience(busy)):
                yield from self._answer(pipes[pipe], again)  # type: ignore[index]
            yield from self._late(again)

    def _hand_out(self, waiting: Iterator[Task], again: deque[Task], exhausted: bool) -> bool:
        """Give every worker what it may hold; True when `waiting` has no more."""
        while again or not exhausted:
            worker = min(self._workers, key=lambda w: len(w.tasks), default=None)
            if worker is None or (worker.tasks and len(self._workers) < self._count):
                worker = None
            elif len(worker.tasks) >= _QUEUED:
                return exhausted
            if again:
                task = again.popleft()
            else:
                try:
                    task = next(waiting)
                except StopIteration:
                    return True
            if worker is None:
                worker = _Worker(self._function, self._limits)
                self._workers.append(worker)
            worker.give(task)
        return exhausted

    def _allowed(self, worker: _Worker[Task]) -> float:
        return self._limits.seconds if worker.ready else _STARTING_SECONDS

    def _patience(self, busy: list[_Worker[Task]]) -> float:
        """Seconds until the first of the running tasks is late."""
        now = time.monotonic()
        return max(0.0, min(worker.since + self._allowed(worker) - now for worker in busy))

    def _answer(self, worker: _Worker[Task], again: deque[Task]) -> Iterator[tuple[Task, Result | SetAside]]:
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_GRACE_SECONDS)  # its pipe is closed, so it is about to end by itself
            yield from self._replace(worker, again, None)
            return
        worker.since = time.monotonic()
        if answer is None:
            worker.ready = True
            return
        result, fault = answer
        task = worker.tasks.popleft()
        if isinstance(fault, SetAside):
            yield task, fault
        elif fault is not None:
            raise fault
        else:
            yield task, result

    def _late(self, again: deque[Task]) -> Iterator[tuple[Task, Result | SetAside]]:
        now = time.monotonic()
        for worker in [w for w in self._workers if w.tasks and now - w.since >= self._allowed(w)]:
            if not worker.pipe.poll():
                late = f"decoding took more than {self._limits.seconds:g} s and was ended"
                yield from self._replace(worker, again, Damaged(late))

    def _replace(
        self, worker: _Worker[Task], again: deque[Task], fault: SetAside | None
    ) -> Iterator[tuple[Task, Result | SetAside]]:
        """Remove a worker; the task that it ran is answered, the one that waited is given to another."""
        self._workers.remove(worker)
        worker.end()
        if not worker.ready:
            raise CrepitusError(
                f"a worker process did not start (exit code {worker.process.exitcode}); "
                "is there enough memory for --workers?"
            )
        self.replaced += 1
        task = worker.tasks.popleft()
        again.extend(worker.tasks)
        yield task, fault or _died(worker.process.exitcode)


def _died(code: int | None) -> SetAside:
    if code == -signal.SIGKILL:
        return TooLarge("the process that decoded it was killed, most likely for lack of memory")
    name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return Damaged(f"the process that decoded it ended ({name}); the pixel data broke the decoder")


def _serve(function: Callable[[Any], Any], pipe: Connection, limits: Limits) -> None:
    """The loop of a worker: answers None when it is ready, then (result, fault) for each task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle, it ends the workers
    # Decoders in C complain on standard error about every damaged stream; the answer says what is to say.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    os.close(quiet)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allowed = _address_space() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    pipe.send(None)
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        answer = _run(function, task)
        try:
            pipe.send(answer)
        except MemoryError:  # nothing has been sent: an answer is packed first
            pipe.send((None, TooLarge("handing back the result needs more memory than it may have")))


def _run(function: Callable[[Any], Any], task: Any) -> tuple[Any, CrepitusError | None]:
    try:
        return function(task), None
    except CrepitusError as error:
        # Without its cause: that may hold a picture, or not be picklable.
        return None, type(error)(str(error))
    except MemoryError:
        return None, TooLarge("reading needs more memory than it may have")
    except RecursionError:
        return None, Damaged("sequences are nested too deeply")
    # A panic of a decoder in Rust is no Exception.
    except BaseException as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        return None, Damaged(f"unexpected {type(error).__name__}: {reason}")


def _address_space() -> int:
    """Bytes of address space of this process (first field of statm, in pages)."""
    with open("/proc/self/statm") as stream:  # noqa: PTH123  (no module is imported for this)
        return int(stream.read().split()[0]) * resource.getpagesize()
