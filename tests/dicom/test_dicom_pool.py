"""Workers that die, hang, take too much memory or raise end one task each, and nothing else."""

import os
import signal
import time

import numpy as np
import pytest

from crepitus.dicom.pool import Limits, WorkerPool
from crepitus.errors import CrepitusError, Damaged, NotRadiograph, SetAside, TooLarge, UsageError


class RustPanic(BaseException):
    """Stands for an exception that is no `Exception`, as of a decoder in Rust."""


def work(task):
    kind, value = task
    if kind == "square":
        return value * value
    if kind == "signal":
        os.kill(os.getpid(), value)
    if kind == "exit":
        os._exit(value)
    if kind == "sleep":
        time.sleep(value)
    if kind == "memory":
        return int(np.ones(value, dtype=np.uint8).sum())
    if kind == "set aside":
        raise NotRadiograph(value)
    if kind == "fault":
        raise ValueError(value)
    if kind == "panic":
        raise RustPanic(value)
    if kind == "stop":
        raise UsageError(value)
    if kind == "noise":
        os.write(2, b"decoder: warning\n" * value)
    if kind == "recursion":
        return work(("recursion", value))
    return os.getpid()


def run(tasks, workers=2, **limits):
    with WorkerPool(work, workers, Limits(**limits)) as pool:
        return dict(pool.run(tasks)), pool.replaced


def test_every_task_is_answered_once():
    tasks = [("square", n) for n in range(40)]
    found, replaced = run(iter(tasks))
    assert found == {task: task[1] ** 2 for task in tasks}
    assert replaced == 0


def test_no_task_no_worker():
    assert run([]) == ({}, 0)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (("signal", int(signal.SIGABRT)), Damaged, "SIGABRT"),
        (("signal", int(signal.SIGSEGV)), Damaged, "SIGSEGV"),
        (("signal", int(signal.SIGKILL)), TooLarge, "memory"),
        (("exit", 3), Damaged, "exit code 3"),
    ],
)
def test_death_of_a_worker_ends_its_task_only(bad, error, words):
    tasks = [("square", 1), bad, *(("square", n) for n in range(2, 9))]
    found, replaced = run(tasks)
    assert isinstance(found.pop(bad), error)
    assert found == {("square", n): n * n for n in range(1, 9)}
    assert replaced == 1
    with WorkerPool(work, 1) as pool:
        ((_, answer),) = pool.run([bad])
    assert words in str(answer)


def test_a_task_that_hangs_is_ended_and_the_others_go_on():
    found, replaced = run([("sleep", 600), *(("square", n) for n in range(6))], seconds=0.5)
    assert isinstance(found[("sleep", 600)], Damaged)
    assert "0.5 s" in str(found[("sleep", 600)])
    assert [found[("square", n)] for n in range(6)] == [0, 1, 4, 9, 16, 25]
    assert replaced == 1


def test_memory_beyond_the_limit_is_refused_within_it_is_not():
    found, replaced = run([("memory", 400 << 20), ("memory", 100 << 20)], memory_bytes=200 << 20)
    assert isinstance(found[("memory", 400 << 20)], TooLarge)
    assert found[("memory", 100 << 20)] == 100 << 20
    assert replaced == 0


def test_errors_of_one_task_are_answers_and_other_errors_stop():
    tasks = [("set aside", "a CT"), ("fault", "odd\nlines"), ("recursion", 0), ("panic", "x"), ("square", 3)]
    found, replaced = run(tasks)
    assert replaced == 0
    assert found[("square", 3)] == 9
    assert str(found[("panic", "x")]) == "unexpected RustPanic: x"
    assert isinstance(found[("set aside", "a CT")], NotRadiograph)
    assert str(found[("set aside", "a CT")]) == "a CT"
    assert str(found[("fault", "odd\nlines")]) == "unexpected ValueError: odd"
    assert isinstance(found[("recursion", 0)], SetAside)
    with pytest.raises(UsageError, match="disk full"):
        run([("stop", "disk full")])


def test_what_decoders_print_does_not_reach_the_user(capfd):
    run([("noise", 5)])
    assert capfd.readouterr().err == ""


def test_workers_run_side_by_side_and_no_more_than_asked():
    found, _ = run([("pid", n) for n in range(30)], workers=2)
    assert len(set(found.values())) <= 2
    assert os.getpid() not in found.values()


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def source():
        for n in range(100):
            taken.append(n)
            yield ("square", n)

    with WorkerPool(work, 1) as pool:
        results = pool.run(source())
        next(results)
        assert len(taken) <= 4
        del results


class NotImportable:
    """A function that a new process cannot load."""

    def __call__(self, task):
        return task

    def __reduce__(self):
        return (getattr, ("no such", "attribute"))


def test_worker_that_cannot_start_is_one_clear_error():
    with (
        pytest.raises(CrepitusError, match="did not start"),
        WorkerPool(NotImportable(), 1) as pool,
    ):
        list(pool.run([("square", 1)]))
