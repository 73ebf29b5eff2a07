"""GRAZPEDWRI-DX (Nagy et al., Scientific Data 9:222, 2022): 20,327 wrist radiographs of 6,091 children.

Layout: dataset.csv (filestem, patient_id, study_number, …), 16-bit PNG files in images_part1 … images_part4
or images, and boxes of nine classes in yolov5/labels/<filestem>.txt with their names in yolov5/meta.yaml, in
the folder itself or in its folder_structure/. Only the class `fracture` gives points; the others stay boxes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crepitus.data.folder import FRACTURE
from crepitus.data.sources.layout import (
    Layout,
    Options,
    SourceImage,
    box_labels,
    flag,
    image_files,
    image_ids,
    need,
    number,
    rows_of,
)
from crepitus.data.sources.yolo import class_names, read_labels
from crepitus.errors import UsageError

CLASSES = (
    "boneanomaly",
    "bonelesion",
    "foreignbody",
    "fracture",
    "metal",
    "periostealreaction",
    "pronatorsign",
    "softtissue",
    "text",
)
"""The published order, for a copy without meta.yaml."""

FLAGS = ("initial_exam", "cast", "diagnosis_uncertain", "osteopenia", "fracture_visible", "metal")
TEXTS = ("projection", "gender", "ao_classification", "timehash", "device_manufacturer")
INFO = {
    "name": "GRAZPEDWRI-DX",
    "licence": "CC BY 4.0",
    "source": "Nagy et al., GRAZPEDWRI-DX, Scientific Data 9:222 (2022), doi:10.1038/s41597-022-01328-z",
}


def read(source: Path, options: Options) -> Layout:
    """Read a GRAZPEDWRI-DX folder.

    The label is 1 where `fracture_visible` is 1 or a fracture is boxed, otherwise 0; an image with the one
    and without the other is counted in a warning. The paediatric AO codes (such as 23r-M/2.1) stay in the
    further column `ao_classification`: they are no A1 … B3 of the femur. The numbers of `projection` are kept
    as they are, and `view` stays empty.

    Raises:
        UsageError: dataset.csv, the images or the labels are not where the layout has them.
        DataSetError: a table or a label file breaks its format.
    """
    table = need(source / "dataset.csv", "dataset.csv of GRAZPEDWRI-DX")
    folder = _labels_folder(source)
    names = class_names(folder.parent / "meta.yaml") if (folder.parent / "meta.yaml").is_file() else None
    names = names or dict(enumerate(CLASSES))
    labels = box_labels(names.values(), options, "meta.yaml")
    files = {path.stem: path for path in _image_files(source)}
    rows = list(rows_of(table, ("filestem", "patient_id", "fracture_visible")))
    stems = [str(row["filestem"] or "") for row in rows]
    images, without = [], 0
    disagreeing = {"boxed but not 'fracture_visible'": 0, "'fracture_visible' but not boxed": 0}
    for index, (row, stem, image_id) in enumerate(zip(rows, stems, image_ids(stems), strict=True), start=1):
        label_file = folder / f"{stem}.txt"
        without += not label_file.is_file()
        boxes = read_labels(label_file, names)
        translated = tuple((box, labels[name]) for box, name in boxes)
        boxed = any(name == FRACTURE for _, name in translated)
        visible = flag(row["fracture_visible"], table, index, "fracture_visible") == 1
        disagreeing["boxed but not 'fracture_visible'"] += boxed and not visible
        disagreeing["'fracture_visible' but not boxed"] += visible and not boxed
        images.append(
            SourceImage(
                image_id=image_id,
                name=f"{stem}.png",
                file=files.get(stem),
                label=int(boxed or visible),
                boxes=translated,
                relative=True,
                columns=_columns(row, table, index),
            )
        )
    warnings = [f"dataset.csv: {n} images are {what}; labelled 1" for what, n in disagreeing.items() if n]
    if without:
        warnings.append(f"{folder.name}: {without} images have no label file and are taken as without boxes")
    return Layout(INFO, ("points", "boxes"), images, warnings)


def _labels_folder(source: Path) -> Path:
    candidates = [base / "yolov5" / "labels" for base in (source, source / "folder_structure")]
    for folder in [*candidates, source / "labels"]:
        if folder.is_dir():
            return folder
    raise UsageError(f"{source}: expected the folder yolov5/labels of GRAZPEDWRI-DX, there is none")


def _image_files(source: Path) -> list[Path]:
    folders = [source / name for name in (*(f"images_part{n}" for n in range(1, 5)), "images")]
    found = [path for folder in folders if folder.is_dir() for path in image_files(folder)]
    if not found:
        raise UsageError(f"{source}: expected PNG files in images_part1 … images_part4 or images, got none")
    return found


def _columns(row: dict[str, Any], table: Path, index: int) -> dict[str, Any]:
    patient, study = row["patient_id"], row.get("study_number")
    return {
        "patient_id": patient,
        "study_id": f"{patient}-{study}" if patient and study else None,
        "body_part": "wrist",
        "laterality": row.get("laterality"),
        "hardware": flag(row.get("metal"), table, index, "metal") or 0,
        "spacing_mm": number(row.get("pixel_spacing"), table, index, "pixel_spacing"),
        "age": number(row.get("age"), table, index, "age"),
        **{name: row.get(name) for name in TEXTS},
        # The published table leaves the cell of a flag empty where it does not hold.
        **{name: flag(row.get(name), table, index, name) or 0 for name in FLAGS},
    }
