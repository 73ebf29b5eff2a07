"""FracAtlas (Abedeen et al., Scientific Data 10:521, 2023): 4,083 radiographs, 717 of them fractured.

Layout: dataset.csv, images/Fractured, images/Non_fractured, Annotations/COCO JSON/COCO_fracture_masks.json,
Utilities/Fracture Split/{train,valid,test}.csv. No patient is identified.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crepitus.data.sources.coco import coco_boxes, read_coco_file
from crepitus.data.sources.layout import (
    Layout,
    Options,
    SourceImage,
    flag,
    image_ids,
    inside,
    need,
    number,
    rows_of,
)

BODY_PARTS = ("hand", "leg", "hip", "shoulder")
VIEWS = ("frontal", "lateral", "oblique")
PUBLISHED_SPLITS = {"train": "train", "valid": "val", "test": "test"}
INFO = {
    "name": "FracAtlas",
    "licence": "CC BY 4.0",
    "source": "Abedeen et al., FracAtlas, Scientific Data 10:521 (2023), doi:10.1038/s41597-023-02432-4",
}


def read(source: Path, options: Options) -> Layout:
    """Read a FracAtlas folder.

    Body parts and views with several flags are joined by '+' ("hand+shoulder", "frontal+lateral").

    Raises:
        UsageError: dataset.csv or the annotations are not where the layout has them.
        DataSetError: a table breaks its format.
    """
    need(source / "images", "the folder images of FracAtlas")
    annotations = options.annotations or source / "Annotations" / "COCO JSON" / "COCO_fracture_masks.json"
    coco = read_coco_file(need(annotations, "the annotations of FracAtlas"))
    warnings: list[str] = []
    boxes, sizes = coco_boxes(coco, options, annotations.name, warnings)
    published = _published_split(source / "Utilities" / "Fracture Split")
    table = source / "dataset.csv"
    rows = list(rows_of(table, ("image_id", "fractured", *BODY_PARTS, *VIEWS)))
    names = [str(row["image_id"] or "") for row in rows]
    images = []
    for index, (row, name, image_id) in enumerate(zip(rows, names, image_ids(names), strict=True), start=1):
        label = flag(row["fractured"], table, index, "fractured")
        folders = ("Fractured", "Non_fractured") if label else ("Non_fractured", "Fractured")
        files = (inside(source / "images" / folder, name) for folder in folders)
        images.append(
            SourceImage(
                image_id=image_id,
                name=f"images/{folders[0]}/{name}",
                file=next((file for file in files if file is not None), None),
                label=label,
                boxes=tuple(boxes.pop(name, ())),
                size=sizes.get(name),
                columns={**_columns(row, table, index), "published_split": published.get(name)},
            )
        )
    warnings += [f"{annotations.name}: {name} has boxes, but is not in {table.name}" for name in boxes]
    return Layout(INFO, ("points", "boxes"), images, warnings)


def _columns(row: dict[str, Any], table: Path, index: int) -> dict[str, Any]:
    def joined(names: tuple[str, ...]) -> str | None:
        return "+".join(name for name in names if flag(row[name], table, index, name)) or None

    count = number(row.get("fracture_count"), table, index, "fracture_count")
    return {
        "body_part": joined(BODY_PARTS),
        "view": joined(VIEWS),
        "hardware": flag(row.get("hardware"), table, index, "hardware"),
        "multiscan": flag(row.get("multiscan"), table, index, "multiscan"),
        "mixed": flag(row.get("mixed"), table, index, "mixed"),
        "fracture_count": None if count is None else int(count),
    }


def _published_split(folder: Path) -> dict[str, str]:
    """The published split of the fractured images, where it is there."""
    split = {}
    for name, meaning in PUBLISHED_SPLITS.items():
        path = folder / f"{name}.csv"
        if path.is_file():
            split.update({str(row["image_id"]): meaning for row in rows_of(path, ("image_id",))})
    return split
