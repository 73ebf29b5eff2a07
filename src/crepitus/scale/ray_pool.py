"""A pool whose workers are the machines of a Ray cluster; what a lost machine had in hand is done again."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from crepitus import __version__
from crepitus.data.executor import LocalExecutor
from crepitus.dicom.pool import Limits
from crepitus.errors import CrepitusError, SetAside, UsageError
from crepitus.scale.cluster import import_ray
from crepitus.scale.staging import Carriage, StagedExecutor, StagedPool

Task = TypeVar("Task")
Result = TypeVar("Result")

_BATCH = 4
"""Files of one Ray task: few enough to lose little, enough that scheduling does not count."""

_AHEAD = 2
"""Ray tasks given out for each CPU, so that no machine waits for the one that lists files."""

_MAX_RETRIES = 8
"""How often a batch is given out again after its machine or process was lost."""

_SECONDS_BETWEEN_LOOKS = 5.0
"""How often the size of the cluster is asked for: machines may come and go."""


@dataclass
class Report:
    """What the cluster has done.

    Attributes:
        by_machine: files that each machine (id of its node) has answered.
        repeated: files that were done again since their machine or process was lost.
    """

    by_machine: Counter[str] = field(default_factory=Counter)
    repeated: int = 0


@dataclass(frozen=True)
class Job:
    """What a machine needs to know to work on tasks; travels pickled."""

    function: Callable[[Any, Any], Any]
    options: Any
    limits: Limits
    carriage: Carriage
    version: str = __version__

    def pool(self) -> StagedPool[Any, Any]:
        """One killable process, and the transfers around it.

        Raises:
            CrepitusError: this machine has another version, or does not see the output.
        """
        import socket

        if self.version != __version__:
            raise CrepitusError(
                f"{socket.gethostname()}: crepitus {__version__} is installed, the command was started with "
                f"{self.version}; install the same version on every machine"
            )
        if self.carriage.delivery is None and not Path(self.options.folder).is_dir():
            raise CrepitusError(
                f"{socket.gethostname()}: {self.options.folder} is not there; mount the folder of --out on "
                "every machine of the cluster at the same path, or give a URL"
            )
        executor = StagedExecutor(LocalExecutor(1, self.limits), self.carriage, threads=_BATCH)
        return executor.pool(self.function, self.options)


@dataclass(frozen=True)
class Batch:
    """Answers to the tasks of one Ray task.

    Attributes:
        answers: index of the task, and its answer.
        fault: an error that ends the command.
        replaced: worker processes that a file had ended.
        machine: id of the node.
    """

    answers: list[tuple[int, Any]]
    fault: CrepitusError | None
    replaced: int
    machine: str


_OPEN: dict[bytes, StagedPool[Any, Any]] = {}
"""The pool of this process: it outlives a Ray task, so that decoding processes start once."""


def run_batch(packed: bytes, tasks: list[Any]) -> Batch:
    """Work on some tasks; runs in a process of Ray, which a decoder cannot end."""
    context = import_ray().get_runtime_context()
    answers: list[tuple[int, Any]] = []
    fault, before, after = None, 0, 0
    try:
        if packed not in _OPEN:
            for old in list(_OPEN):
                _OPEN.pop(old).__exit__(None, None, None)
            _OPEN[packed] = pickle.loads(packed).pool()  # noqa: S301  (made by the command, sent by Ray)
        pool = _OPEN[packed]
        before = pool.replaced
        index_of = {id(task): index for index, task in enumerate(tasks)}
        answers = [(index_of[id(task)], answer) for task, answer in pool.run(tasks)]
        after = pool.replaced
    except CrepitusError as error:
        # Without its cause, which may not be picklable.
        fault = CrepitusError(str(error))
        if packed in _OPEN:
            _OPEN.pop(packed).__exit__(None, None, None)
    return Batch(answers, fault, after - before, context.get_node_id())


@dataclass(frozen=True)
class _Given(Generic[Task]):
    """Tasks that the cluster has in hand, and how often they were lost."""

    tasks: list[Task]
    lost: int = 0


class RayPool(Generic[Task, Result]):
    """Gives batches of tasks to the cluster; use as a context manager.

    Args:
        job: what is done.
        at_once: Ray tasks at the same time; 0 for one per CPU.
        report: filled as answers come.
    """

    def __init__(self, job: Job, at_once: int, report: Report) -> None:
        self._ray = import_ray()
        self._packed = pickle.dumps(job)
        self._at_once = at_once
        self._report = report
        self._running: dict[Any, _Given[Task]] = {}
        self._looked, self._room = -_SECONDS_BETWEEN_LOOKS, 1
        memory = job.limits.memory_bytes
        _check_room(self._ray, memory)
        # Ray does not repeat anything by itself: here it can be counted, and said.
        remote = self._ray.remote(num_cpus=1, memory=memory, max_retries=0)
        self._run = remote(run_batch)
        self.replaced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | SetAside]]:
        """Every task once with its result.

        Raises:
            CrepitusError: a machine cannot work at all, or a task was lost too often.
        """
        waiting = iter(tasks)
        while True:
            while len(self._running) < self._limit():
                batch = list(islice(waiting, _BATCH))
                if not batch:
                    break
                self._give(_Given(batch))
            if not self._running:
                return
            done, _ = self._ray.wait(list(self._running), timeout=_SECONDS_BETWEEN_LOOKS)
            for reference in done:
                given = self._running.pop(reference)
                found = self._result(reference, given)
                if found is not None:
                    yield from self._answers(given.tasks, found)

    def _give(self, given: _Given[Task]) -> None:
        self._running[self._run.remote(self._packed, given.tasks)] = given

    def _limit(self) -> int:
        """Ray tasks that may be given out now."""
        if self._at_once:
            return self._at_once
        now = time.monotonic()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._room = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return _AHEAD * self._room

    def _result(self, reference: Any, given: _Given[Task]) -> Batch | None:
        """What came of a batch; None where it was lost and has been given out again."""
        try:
            batch: Batch = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            reason = str(error).strip().splitlines()[-1][:300]
            raise CrepitusError(
                f"--ray: a machine of the cluster cannot work on files: {reason}; is crepitus installed on "
                "all of them, in the same version?"
            ) from error
        except self._ray.exceptions.RayError as error:
            if given.lost == _MAX_RETRIES:
                raise CrepitusError(
                    f"--ray: a task was lost {_MAX_RETRIES + 1} times ({type(error).__name__}); see to the "
                    "machines of the cluster and give the same command again, it goes on where it stopped"
                ) from error
            self._report.repeated += len(given.tasks)
            self._give(_Given(given.tasks, given.lost + 1))
            return None
        return batch

    def _answers(self, tasks: list[Task], batch: Batch) -> Iterator[tuple[Task, Result | SetAside]]:
        self.replaced += batch.replaced
        self._report.by_machine[batch.machine] += len(batch.answers)
        for index, answer in batch.answers:
            yield tasks[index], answer
        if batch.fault is not None:
            raise batch.fault


def _check_room(ray: Any, memory: int) -> None:
    """Refuse a cluster on which no task could ever run: Ray would wait for a larger machine in silence."""
    rooms = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(room.get("CPU", 0) >= 1 and room.get("memory", 0) >= memory for room in rooms):
        raise UsageError(
            f"--ray: expected a machine with 1 CPU and {memory >> 20} MiB of memory in the cluster, there is "
            "none; add one, or start its nodes with more --memory"
        )


@dataclass(frozen=True)
class RayExecutor:
    """The machines of the cluster that this process has joined.

    Attributes:
        carriage: what is carried between storage and machines.
        at_once: tasks at the same time; 0 for what the cluster's CPUs take.
        limits: of each file.
        report: filled as answers come.
    """

    carriage: Carriage
    at_once: int = 0
    limits: Limits | None = None
    report: Report = field(default_factory=Report)

    def pool(self, function: Callable[[Any, Any], Any], options: Any) -> RayPool[Any, Any]:
        """A pool that runs `function(options, task)` in killable processes of the cluster."""
        job = Job(function, options, self.limits or Limits(), self.carriage)
        return RayPool(job, self.at_once, self.report)
