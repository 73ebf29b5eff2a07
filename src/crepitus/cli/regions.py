"""`crepitus regions`: a data set of the anterior pelvis, or of another region that landmarks surround."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import JsonOption, end_with_rejected, print_json, progress
from crepitus.errors import UsageError


def regions(
    dataset: Annotated[Path, typer.Argument(help="Data set folder of whole images.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="New data set folder.", show_default=False)],
    landmarks: Annotated[
        Path | None,
        typer.Option(help="Predictions of a landmark detector. Default: the landmarks of the data set."),
    ] = None,
    members: Annotated[
        str, typer.Option(help="Beginnings of the names of the landmarks that a region surrounds.")
    ] = "pubis,ischium",
    rows: Annotated[int, typer.Option(min=32, help="Height of a region in pixels.")] = 256,
    columns: Annotated[int, typer.Option(min=32, help="Width of a region in pixels.")] = 512,
    margin: Annotated[
        float, typer.Option(min=0, max=2, help="Margin on each side, as a fraction of the landmarks' box.")
    ] = 0.1,
    json_: JsonOption = False,
) -> None:
    """Cut the region around landmarks out of every image; points, boxes and landmarks move along.

    Images without such landmarks are set aside. A point outside the region is left out, and an image whose
    points all lie outside counts as normal: its region is.
    """
    from crepitus.data.folder import DataSet
    from crepitus.data.regions import summary, write_regions
    from crepitus.predict.folder import Predictions

    data = DataSet.read(dataset)
    found = None
    if landmarks is not None:
        found = Predictions.read(landmarks).landmarks
        if found is None:
            raise UsageError(f"--landmarks {landmarks}: expected predictions with landmarks.csv, got none")
    names = tuple(name.strip() for name in members.split(",") if name.strip())
    if not names:
        raise UsageError("--members: expected beginnings of names of landmarks, got none")
    writer = write_regions(
        data,
        out,
        members=names,
        rows=rows,
        columns=columns,
        margin=margin,
        found=found,
        image_ids=progress(data.images["image_id"].to_list(), len(data), "Regions"),
    )
    counts = summary(writer, data)
    if json_:
        print_json(counts)
    else:
        typer.echo(
            f"{counts['regions']} regions of {counts['images']} images, "
            f"{counts['points_inside']} of {counts['points']} points inside: {out}"
        )
    end_with_rejected(writer.rejected, out)
