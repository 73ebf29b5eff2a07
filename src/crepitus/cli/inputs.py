"""What a command that applies a model is given: opened once for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from crepitus.errors import UsageError

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict.inputs import Input

SPLITS = ("train", "val", "test")


def open_inputs(
    model: Path,
    paths: list[Path],
    split: str | None,
    *,
    whole_studies: bool,
    limit: int | None = None,
) -> tuple[Iterable[Input], int, DataSet | None]:
    """The stream of inputs, how many there are, and the data set if it is one.

    Args:
        model: run folder, which knows the split.
        paths: one data set, or files and folders of them.
        split: only the images of this role in the run; of a data set.
        whole_studies: keep the images of a study together.
        limit: only the first ones; with `whole_studies` the last study stays whole.

    Raises:
        UsageError: the options do not fit the input, or there is none.
    """
    from crepitus.data import DataSet
    from crepitus.predict.inputs import by_study, find_files, from_data_set, from_files, is_data_set
    from crepitus.train.records import RunFolder

    if not any(is_data_set(path) for path in paths):
        if split is not None:
            raise UsageError("--split goes with a data set, INPUT is none")
        files = find_files(paths)[:limit]
        return from_files(files), len(files), None
    if len(paths) > 1:
        raise UsageError(
            f"expected one data set or any number of files, got {len(paths)} inputs with a data set"
        )
    data = DataSet.read(paths[0])
    image_ids = data.images["image_id"].to_list()
    if split is not None:
        if split not in SPLITS:
            raise UsageError(f"--split: expected train, val or test, got {split!r}")
        roles = RunFolder(model).read_split()
        image_ids = [i for i in image_ids if roles.get(i) == split]
        if not image_ids:
            raise UsageError(f"--split {split}: none of the images of {paths[0]} has that role in {model}")
    if whole_studies:
        image_ids = by_study(data, image_ids)
    if limit is not None:
        image_ids = _first(data, image_ids, limit, whole_studies=whole_studies)
    return from_data_set(data, image_ids), len(image_ids), data


def _first(data: DataSet, image_ids: list[str], limit: int, *, whole_studies: bool) -> list[str]:
    """The first images, and with `whole_studies` the rest of the last one's study."""
    end = min(limit, len(image_ids))
    if whole_studies:
        study_of = dict(data.images.select("image_id", "study_id").iter_rows())
        while end < len(image_ids):
            study = study_of[image_ids[end]]
            if study is None or study != study_of[image_ids[end - 1]]:
                break
            end += 1
    return image_ids[:end]
