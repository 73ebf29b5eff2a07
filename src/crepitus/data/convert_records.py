"""What the journal of a conversion says about each file, and the loop that fills it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crepitus.data.convert_file import Converted, FileOptions, Index, convert_file, file_key
from crepitus.data.convert_source import Source
from crepitus.data.executor import Executor, Pool
from crepitus.data.journal import Journal, read_journal
from crepitus.data.output import Output
from crepitus.dicom.find import Entry, Refused
from crepitus.errors import SetAside

Record = dict[str, Any]
"""`name`, `stamp` and `kind` (image, rejected, index), and what belongs to the kind."""


@dataclass
class Progress:
    """Counts of a running conversion.

    Attributes:
        files: entries that have an answer.
        rejected: those that were set aside.
        resumed: those that an earlier, interrupted run had answered.
        workers_replaced: worker processes that a file had ended.
    """

    files: int = 0
    rejected: int = 0
    resumed: int = 0
    workers_replaced: int = 0


@dataclass
class Records:
    """Every file's record by its name, and its original identifiers where a key file was asked for."""

    by_name: dict[str, Record] = field(default_factory=dict)
    originals: dict[str, dict[str, str]] = field(default_factory=dict)


class Loop:
    """Converts every entry of a source that has no record yet.

    Args:
        options: for the workers.
        output: knows which finished files an earlier run has left.
        journal: file of records; may exist.
        key_journal: file of original identifiers, outside the data set; None where none are asked for.
        watch: called after each file.
    """

    def __init__(
        self,
        options: FileOptions,
        output: Output,
        journal: Path,
        key_journal: Path | None,
        watch: Callable[[Progress], None],
    ) -> None:
        self._options = options
        self._output = output
        self._paths = (journal, key_journal)
        self._watch = watch
        self._before = {record["name"]: record for record in read_journal(journal)}
        self._keys_before = {
            record["name"]: record["originals"]
            for record in (read_journal(key_journal) if key_journal else ())
        }
        self.progress = Progress()
        self.records = Records()

    def run(self, source: Source, executor: Executor) -> Records:
        """Records of all files of `source`; each is in the journal before the next is looked at."""
        journal_path, key_path = self._paths
        with (
            Journal(journal_path) as journal,
            _maybe(key_path) as keys,
            executor.pool(convert_file, self._options) as pool,
        ):
            self._answer(source.entries(), pool, journal, keys)
            if source.single():
                for record in list(self.records.by_name.values()):
                    if record["kind"] == "index":
                        listed = [tuple(parts) for parts in record["references"]]
                        self._answer(source.references(listed), pool, journal, keys)
            self.progress.workers_replaced = pool.replaced
        return self.records

    def _answer(
        self,
        found: Iterable[Entry | Refused],
        pool: Pool[Entry, Converted | Index],
        journal: Journal,
        keys: Journal | None,
    ) -> None:
        for entry, answer in pool.run(self._open(found)):
            record = record_of(entry, answer)
            if keys is not None and isinstance(answer, Converted):
                # Before the record: an image with a record always has its key.
                keys.append({"name": entry.name, "originals": answer.originals})
                self.records.originals[entry.name] = answer.originals
            journal.append(record)
            self._note(record)

    def _open(self, found: Iterable[Entry | Refused]) -> Iterator[Entry]:
        """Entries that must be converted; the others are noted on the way."""
        for entry in found:
            if not isinstance(entry, Entry):
                self._note(rejection(entry[0], entry[1]))
            elif self._is_done(entry):
                self.progress.resumed += 1
                if entry.name in self._keys_before:
                    self.records.originals[entry.name] = self._keys_before[entry.name]
                self._note(self._before[entry.name])
            else:
                yield entry

    def _is_done(self, entry: Entry) -> bool:
        record = self._before.get(entry.name)
        if record is None or record["stamp"] != entry.stamp:
            return False
        if record["kind"] != "image":
            return True
        if self._options.originals and entry.name not in self._keys_before:
            return False
        return all(
            any(self._output.size(path) == size for path in self._places(record, ending))
            for ending, size in record["sizes"].items()
        )

    def _places(self, record: Record, ending: str) -> tuple[Path, Path]:
        final = final_path(self._output.root, record["row"]["image_id"], ending)
        return self._options.folder / f"{file_key(record['name'])}.{ending}", final

    def _note(self, record: Record) -> None:
        self.records.by_name[record["name"]] = record
        self.progress.files += 1
        self.progress.rejected += record["kind"] == "rejected"
        self._watch(self.progress)


def final_path(root: Path, image_id: str, ending: str) -> Path:
    """Where a finished file of an image lies in the data set folder `root`."""
    return root / ("images" if ending == "png" else "dicom") / f"{image_id}.{ending}"


def record_of(entry: Entry, answer: Converted | Index | SetAside) -> Record:
    """The line of the journal for one entry."""
    if isinstance(answer, SetAside):
        return {**rejection(entry.name, answer), "stamp": entry.stamp}
    head: Record = {"name": entry.name, "stamp": entry.stamp}
    if isinstance(answer, Index):
        return {**head, "kind": "index", "references": answer.references}
    return {
        **head,
        "kind": "image",
        "row": answer.row,
        "sizes": answer.sizes,
        "pixels": answer.pixels,
        "matches": answer.matches,
    }


def rejection(name: str, error: SetAside) -> Record:
    """A record of something that was set aside."""
    return {"name": name, "stamp": "", "kind": "rejected", "code": error.code, "message": str(error)}


class _maybe:  # noqa: N801  (reads as a word in a with statement)
    """A journal, or nothing where there is no path."""

    def __init__(self, path: Path | None) -> None:
        self._journal = None if path is None else Journal(path)

    def __enter__(self) -> Journal | None:
        return self._journal

    def __exit__(self, *details: object) -> None:
        if self._journal is not None:
            self._journal.close()
