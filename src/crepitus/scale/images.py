"""Images of a data set to prepare, behind a URL or on mounted storage, and how each reaches a machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from crepitus.data.prepare_file import ImageTask, PreparedImage, file_stem
from crepitus.data.tables import ANNOTATION_TABLES
from crepitus.errors import CrepitusError, DataSetError
from crepitus.scale.remote import Remote

_TABLES = ("dataset.json", "images.csv", "images.parquet", "rejected.csv")


@dataclass(frozen=True)
class PathImages:
    """A data set on mounted storage: nothing is fetched, but every machine must see it.

    Attributes:
        root: the folder.
    """

    root: Path
    fetches = False

    def bring(self, task: ImageTask, folder: Path) -> ImageTask:
        """The task itself.

        Raises:
            CrepitusError: the data set is not there, so this machine has not mounted the storage.
        """
        if not any((self.root / name).is_file() for name in ("images.csv", "images.parquet")):
            raise CrepitusError(
                f"{self.root}: expected the data set, it is not there on this machine; mount it on every "
                "machine of the cluster at the same path"
            )
        return task

    def made(self, task: ImageTask, result: list[PreparedImage]) -> list[str]:
        """Names of the files of the images that came of one."""
        return _made(result)


@dataclass(frozen=True)
class RemoteImages:
    """A data set behind a URL.

    Attributes:
        remote: its folder.
        root: folder of its tables on the first machine; tasks name files as if they lay in it.
    """

    remote: Remote
    root: Path
    fetches = True

    def bring(self, task: ImageTask, folder: Path) -> ImageTask:
        """The task with copies of its files in `folder`; one that has gone is for the worker to report."""
        file = self._get(task.file, folder / "image")
        mask = None if task.mask is None else self._get(task.mask, folder / "mask")
        return replace(task, file=file, mask=mask)

    def _get(self, path: Path, folder: Path) -> Path:
        folder.mkdir()
        target = folder / path.name
        try:
            self.remote.get(self.remote.path(path.relative_to(self.root).as_posix()), target)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
        return target

    def made(self, task: ImageTask, result: list[PreparedImage]) -> list[str]:
        """Names of the files of the images that came of one."""
        return _made(result)


def _made(result: list[PreparedImage]) -> list[str]:
    return [f"{file_stem(image.columns['image_id'])}{ending}" for image in result for ending in image.sizes]


@contextmanager
def fetched_tables(remote: Remote) -> Iterator[Path]:
    """A folder with the tables of a data set behind a URL, for the time of a with statement.

    Raises:
        DataSetError: there is no data set.
    """
    with TemporaryDirectory(prefix="crepitus-tables-") as folder:
        root = Path(folder)
        for name in (*_TABLES, *(f"{kind}.csv" for kind in ANNOTATION_TABLES)):
            try:
                remote.get(remote.path(name), root / name)
            except FileNotFoundError:
                (root / name).unlink(missing_ok=True)
        if not any((root / name).is_file() for name in ("images.csv", "images.parquet")):
            raise DataSetError(
                f"{remote}: expected a data set with images.parquet or images.csv, there is neither"
            )
        yield root
