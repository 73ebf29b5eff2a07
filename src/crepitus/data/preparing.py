"""From a data set folder to a prepared one; killed at any moment, it goes on later."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crepitus.data.executor import Executor, LocalExecutor
from crepitus.data.folder import DataSet
from crepitus.data.journal import Journal, read_journal
from crepitus.data.output import FolderOutput, Output
from crepitus.data.prepare_file import ImageTask, PrepareOptions, prepare_image
from crepitus.data.prepare_records import Record, is_whole, moves, record_of, rejected_rows, tables_of
from crepitus.data.work_folder import locked, writing
from crepitus.data.writer import Rejection, read_rejected, write_rejected, write_tables
from crepitus.dicom.pool import Limits
from crepitus.errors import DataSetError, UsageError
from crepitus.prepare.body_part import Tag, histogram
from crepitus.prepare.pipeline import Recipe

WORK = ".prepare"
"""Folder inside the output that holds unfinished work; it is removed at the end."""

Watch = Callable[[Iterable[Record], int], Iterable[Record]]
"""Takes the records of the images as they come, and their number, and hands them on."""


def unwatched(records: Iterable[Record], total: int) -> Iterable[Record]:
    """Hand the records on and show nothing."""
    return records


@dataclass(frozen=True)
class Outcome:
    """What came of a preparation.

    Attributes:
        images: rows of the new `images` table.
        sources: rows of the data set's.
        rejected: rows of rejected.csv that this run added.
        resumed: images that an earlier, interrupted run had prepared.
        workers_replaced: worker processes that an image had ended.
        warnings: sentences for the user.
        tags: each body part tag, how often it stands there, and the parts that it means.
    """

    images: int
    sources: int
    rejected: list[Rejection]
    resumed: int = 0
    workers_replaced: int = 0
    warnings: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)


def stamp_of_file(path: Path) -> str:
    """Size and time of change; empty for a file that is missing, which is for the worker to say."""
    try:
        status = os.stat(path)  # noqa: PTH116  (one call, and no object per file)
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def prepare(
    source: Path,
    recipe: Recipe,
    out: Path,
    *,
    workers: int = 1,
    limits: Limits | None = None,
    watch: Watch = unwatched,
) -> Outcome:
    """Prepare every image of a data set.

    Args:
        source: data set folder.
        recipe: the steps.
        out: new or empty folder, or one whose preparation with the same settings was interrupted.
        workers: processes that prepare.
        limits: of each image.
        watch: wraps the records of the images, to show progress.

    Raises:
        DataSetError: the source is no data set, or has no images.
        UsageError: `out` holds something else, or lies in the source.
        OutputError: `out` cannot be written.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"--out {out}: expected a place outside the data set {source}")
    executor = LocalExecutor(workers, limits)
    return run_preparation(
        source, str(source.resolve()), recipe, FolderOutput(out, WORK), executor, watch=watch
    )


def run_preparation(
    tables: Path,
    source: str,
    recipe: Recipe,
    output: Output,
    executor: Executor,
    *,
    stamp: Callable[[Path], str] = stamp_of_file,
    watch: Watch = unwatched,
) -> Outcome:
    """Prepare every image of a data set, wherever it is, to wherever the new one shall be.

    Args:
        tables: folder with the tables of the data set; its files are named by paths in it.
        source: what the data set is called in the settings; a run goes on only with the same.
        recipe: the steps.
        output: where the new data set goes.
        executor: runs the work.
        stamp: text that changes when a file does; empty where there is none.
        watch: wraps the records of the images, to show progress.

    Raises:
        DataSetError: there is no data set, or it has no images.
        UsageError: the output holds something else.
        OutputError: the output cannot be written.
    """
    data = DataSet.read(tables)
    if not len(data):
        raise DataSetError(f"{source}: expected images to prepare, the table has none")
    tags = histogram(data.images["body_part"])
    _check_tags(tags, recipe)
    digest = _digest(source, recipe)
    before = _rejected_before(tables)
    finished = output.finished("preparation", digest)
    if finished is not None:
        output.remove_work()
        new = finished[1][len(before) :]
        warning = f"{output} was complete; nothing was done"
        return Outcome(finished[0], len(data), new, warnings=[warning], tags=tags)
    output.open(digest, "preparation")
    with writing(output.root), locked(output.work):
        loop = _Loop(PrepareOptions(output.work / "files", recipe), output)
        records = loop.run(list(tasks_of(data, stamp)), executor, watch)
        outcome = _finish(data, output, records, before, digest, recipe)
    output.remove_work()
    return Outcome(outcome[0], len(data), outcome[1], loop.resumed, loop.replaced, tags=tags)


def _check_tags(tags: list[Tag], recipe: Recipe) -> None:
    """Refuse a filter that would leave no image, and say what tags there are."""
    if "body-part" not in recipe.steps or any(
        set(found) & set(recipe.body_parts) or (not found and recipe.keep_untagged) for _, _, found in tags
    ):
        return
    shown = ", ".join(f"{tag!r} ({count})" for tag, count, _ in tags[:20])
    more = f" and {len(tags) - 20} others" if len(tags) > 20 else ""
    raise UsageError(
        f"--body-part {','.join(recipe.body_parts)}: expected it among the tags in the column body_part, "
        f"got {shown}{more}; name another part, or use --keep-untagged"
    )


class _Loop:
    """Prepares every image that has no record yet."""

    def __init__(self, options: PrepareOptions, output: Output) -> None:
        self._options = options
        self._output = output
        self._journal = output.work / "journal"
        self._before = {record["name"]: record for record in read_journal(self._journal)}
        self.resumed = 0
        self.replaced = 0

    def run(self, tasks: list[ImageTask], executor: Executor, watch: Watch) -> dict[str, Record]:
        """The record of each image by its id; each is in the journal before the next is looked at."""
        return {record["name"]: record for record in watch(self._records(tasks, executor), len(tasks))}

    def _records(self, tasks: list[ImageTask], executor: Executor) -> Iterator[Record]:
        ready = [task for task in tasks if self._is_done(task)]
        self.resumed = len(ready)
        yield from (self._before[task.name] for task in ready)
        done = {task.name for task in ready}
        waiting = (task for task in tasks if task.name not in done)
        with Journal(self._journal) as journal, executor.pool(prepare_image, self._options) as pool:
            for task, answer in pool.run(waiting):
                record = record_of(task, answer)
                journal.append(record)
                yield record
            self.replaced = pool.replaced

    def _is_done(self, task: ImageTask) -> bool:
        record = self._before.get(task.name)
        return (
            record is not None
            and record["stamp"] == task.stamp
            and is_whole(record, self._options.folder, self._output)
        )


def tasks_of(data: DataSet, stamp: Callable[[Path], str] = stamp_of_file) -> Iterator[ImageTask]:
    """Every image of a data set as a task, in the order of its table; `stamp` as for `run_preparation`."""
    for row in data.images.iter_rows(named=True):
        image_id = row["image_id"]
        file = data.root / row["file"]
        mask = data.mask_path(image_id)
        mask = mask if mask is not None and stamp(mask) else None
        annotation = data.annotation(image_id)
        stamps = [stamp(path) for path in (file, mask) if path is not None]
        text = json.dumps([row, repr(annotation), stamps], sort_keys=True, default=str)
        yield ImageTask(row, file, annotation, mask, hashlib.sha256(text.encode()).hexdigest()[:20])


def _digest(source: str, recipe: Recipe) -> str:
    """A short text that differs when the settings do."""
    values = {"source": source, **asdict(recipe)}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:20]


def _rejected_before(source: Path) -> list[Rejection]:
    """What was set aside when the source was made: it stays in the account."""
    try:
        return read_rejected(source)
    except (OSError, KeyError, ValueError):
        return []


def _finish(
    data: DataSet,
    output: Output,
    records: dict[str, Record],
    before: list[Rejection],
    digest: str,
    recipe: Recipe,
) -> tuple[int, list[Rejection]]:
    """From records to a data set; may be killed and repeated, and leaves the same files then."""
    out = output.root
    output.place(moves(records, output.work / "files", out), (out / "images", out / "masks"))
    rejected = rejected_rows(data, records)
    images, annotations = tables_of(data, records)
    write_rejected(out, [*before, *rejected])
    write_tables(out, images, annotations, _info(data, digest, recipe))
    output.publish()
    return images.height, rejected


def _info(data: DataSet, digest: str, recipe: Recipe) -> dict[str, Any]:
    """Content of dataset.json: that of the source, and how it was prepared."""
    kept = {key: value for key, value in data.info.items() if key not in ("conversion", "crepitus")}
    if "masks" in kept and isinstance(kept["masks"], dict):
        kept["masks"] = {**kept["masks"], "files": "masks/<image_id>.png"}
    return {**kept, "prepared": asdict(recipe), "preparation": digest}
