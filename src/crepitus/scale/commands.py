"""Convert and prepare for sources and outputs behind URLs, and on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crepitus.data.convert_records import Progress
from crepitus.data.convert_source import PathSource, Source
from crepitus.data.converting import WORK, Outcome, Settings, run_conversion
from crepitus.data.executor import Executor, LocalExecutor
from crepitus.data.labels import Labels
from crepitus.data.output import FolderOutput, Output
from crepitus.data.preparing import WORK as PREPARE_WORK
from crepitus.data.preparing import Outcome as Preparation
from crepitus.data.preparing import Watch, run_preparation, unwatched
from crepitus.dicom.pool import Limits
from crepitus.errors import UsageError
from crepitus.prepare.pipeline import Recipe
from crepitus.scale.cluster import connected
from crepitus.scale.entries import PathEntries, RemoteEntries, RemoteSource
from crepitus.scale.images import PathImages, RemoteImages, fetched_tables
from crepitus.scale.ray_pool import RayExecutor, Report
from crepitus.scale.remote import Remote, place_of, stamp_of
from crepitus.scale.remote_output import RemoteOutput
from crepitus.scale.staging import Carriage, StagedExecutor


@dataclass(frozen=True)
class Means:
    """Who works, and how many at the same time.

    Attributes:
        workers: processes of this machine, or Ray tasks at the same time; 0 is all CPUs of the cluster.
        ray: None for this machine, else `auto` or HOST:PORT, see `cluster.connected`.
        limits: of each file.
        tell: is told which cluster it is, and what was done again.
    """

    workers: int = 1
    ray: str | None = None
    limits: Limits | None = None
    tell: Callable[[str], None] = lambda text: None


def convert_anywhere(
    settings: Settings,
    out: str,
    means: Means,
    *,
    labels: Labels | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Convert a source at a path or URL to a data set at a path or URL.

    Args:
        settings: source and options; a source that is a text may be a URL.
        out: new or empty folder, or one whose conversion with the same settings was interrupted.
        means: who works.
        labels: table of labels.
        watch: called after each file.

    Raises:
        UsageError: the source is missing, `out` holds something else, or there is no such cluster.
        OutputError: the output cannot be written.
        StorageError: the storage does not answer.
    """
    place = place_of(str(settings.source))
    source: Source = RemoteSource(place) if isinstance(place, Remote) else PathSource(place)
    freight = RemoteEntries(place) if isinstance(place, Remote) else PathEntries()
    chosen = Settings(
        place.url if isinstance(place, Remote) else place,
        settings.characteristics,
        settings.dicom,
        settings.keys,
    )
    output, delivery = output_at(out, WORK, place, "SOURCE", means)
    with executor_of(means, Carriage(freight, delivery)) as executor:
        return run_conversion(chosen, source, output, executor, labels=labels, watch=watch)


def prepare_anywhere(
    source: str, recipe: Recipe, out: str, means: Means, *, watch: Watch = unwatched
) -> Preparation:
    """Prepare a data set at a path or URL to one at a path or URL.

    Args:
        source: path or URL of the data set.
        recipe: the steps.
        out: new or empty folder, or one whose preparation with the same settings was interrupted.
        means: who works.
        watch: wraps the records of the images, to show progress.

    Raises:
        DataSetError: the source is no data set, or has no images.
        UsageError: `out` holds something else, or there is no such cluster.
        OutputError: the output cannot be written.
        StorageError: the storage does not answer.
    """
    place = place_of(source)
    output, delivery = output_at(out, PREPARE_WORK, place, "the data set", means)
    if isinstance(place, Path):
        root = place.resolve()
        if isinstance(output, FolderOutput) and output.root.resolve().is_relative_to(root):
            raise UsageError(f"--out {out}: expected a place outside the data set {source}")
        with executor_of(means, Carriage(PathImages(root), delivery)) as executor:
            tables = place if means.ray is None else root
            return run_preparation(tables, str(root), recipe, output, executor, watch=watch)
    with fetched_tables(place) as tables:
        stamps = {tables / name: stamp_of(info) for name, info in place.files().items()}
        with executor_of(means, Carriage(RemoteImages(place, tables), delivery)) as executor:
            return run_preparation(
                tables,
                place.url,
                recipe,
                output,
                executor,
                stamp=lambda path: stamps.get(path, ""),
                watch=watch,
            )


def output_at(
    out: str, work: str, source: Path | Remote, name: str, means: Means
) -> tuple[Output, Remote | None]:
    """The output at a path or URL, and where finished files are delivered to.

    Raises:
        UsageError: it would lie in the source.
    """
    place = place_of(out)
    if isinstance(place, Path):
        # Other machines of a cluster have other working directories.
        return FolderOutput(place if means.ray is None else place.absolute(), work), None
    if isinstance(source, Remote) and f"{place.url}/".startswith(f"{source.url}/"):
        raise UsageError(f"--out {out}: expected a place outside {name} {source}")
    output = RemoteOutput(place, work)
    return output, output.delivery


@contextmanager
def executor_of(means: Means, carriage: Carriage) -> Iterator[Executor]:
    """The cluster or the processes of this machine, for the time of a with statement."""
    if means.ray is None:
        local: Executor = LocalExecutor(means.workers, means.limits)
        carries = carriage.freight.fetches or carriage.delivery is not None
        yield StagedExecutor(local, carriage, threads=max(4, 2 * means.workers)) if carries else local
        return
    with connected(means.ray, means.workers or None) as sentence:
        means.tell(sentence)
        report = Report()
        yield RayExecutor(carriage, means.workers, means.limits, report)
        if report.repeated:
            means.tell(
                f"ray: {report.repeated} files were given out again, since a machine or process was lost"
            )
