"""`crepitus split`: patient-disjoint, stratified folds, written into the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import JsonOption, print_json, progress, say

if TYPE_CHECKING:
    from crepitus.data.folder import DataSet


def split(
    dataset: Annotated[Path, typer.Argument(help="Data set folder; its images table is rewritten.")],
    folds: Annotated[int, typer.Option(help="Number of folds.", min=2)] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    duplicates: Annotated[
        bool, typer.Option(help="Keep near-duplicates together (every image is read once).")
    ] = True,
    json_: JsonOption = False,
) -> None:
    """Divide the patients into folds, near-duplicates together, balanced by truth and body part.

    Writes the columns fold, split (test = fold 0, val = 12.5 % of the other patients) and duplicate_group.
    """
    from crepitus.data.folder import DataSet
    from crepitus.data.splits import DUPLICATE_GROUP, assign_folds, rewrite_images, with_duplicate_groups

    data = DataSet.read(dataset)
    images = with_duplicate_groups(data.images, _duplicate_groups(data) if duplicates else [])
    images = assign_folds(images, data.truth, folds=folds, seed=seed)
    path = rewrite_images(data.root, images)
    result = _summary(data, images)
    result["duplicate_groups"] = images[DUPLICATE_GROUP].drop_nulls().n_unique()
    if json_:
        print_json(result)
        return
    for kind in ("fold", "split"):
        typer.echo(f"{kind:<8}{'images':>8}{'patients':>10}{'positive':>10}{'negative':>10}{'unknown':>9}")
        for name, row in result[kind].items():
            cells = [row[key] for key in ("images", "patients", "positive", "negative", "unknown")]
            typer.echo(f"{name:<8}{cells[0]:>8}{cells[1]:>10}{cells[2]:>10}{cells[3]:>10}{cells[4]:>9}")
    say(f"{result['duplicate_groups']} groups of near-duplicates are kept together; wrote {path}")


def _duplicate_groups(data: DataSet) -> list[list[int]]:
    from crepitus.data.duplicates import Fingerprint, duplicate_groups, fingerprint_files
    from crepitus.errors import DataSetError

    files = [data.root / name for name in data.images["file"]]
    found = fingerprint_files(files, watch=lambda paths: progress(paths, len(files), "compare images"))
    prints: list[Fingerprint] = []
    for result in found:
        if not isinstance(result, Fingerprint):
            raise DataSetError(f"{data.root}: {result}; find all such files with 'crepitus audit'")
        prints.append(result)
    return duplicate_groups(prints)


def _summary(data: DataSet, images: Any) -> dict[str, Any]:
    """Counts by fold and by split; patients as groups that stay together."""
    from crepitus.data.splits import group_ids

    group_of = {image_id: number for number, ids in enumerate(group_ids(images)) for image_id in ids}
    result: dict[str, Any] = {"fold": {}, "split": {}}
    for kind in result:
        for value in sorted(images[kind].unique().to_list()):
            ids = images.filter(images[kind] == value)["image_id"].to_list()
            truth = [data.truth[image_id] for image_id in ids]
            result[kind][str(value)] = {
                "images": len(ids),
                "patients": len({group_of[image_id] for image_id in ids}),
                "positive": truth.count(1),
                "negative": truth.count(0),
                "unknown": truth.count(None),
            }
    return result
