"""Tiny images and data sets for the tests of the data package."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from crepitus.data.folder import DataSet
from crepitus.data.writer import DataSetWriter
from crepitus.structures import Annotation, Boxes, Points, Radiograph


def make_picture(seed, rows=48, columns=64, dtype=np.uint8):
    """A smooth random picture: no two seeds look alike."""
    cells = np.random.default_rng(seed).integers(0, 255, size=(12, 16), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(cells).resize((columns, rows), Image.Resampling.BICUBIC))
    return grey.astype(dtype) * (257 if dtype == np.uint16 else 1)


def save_picture(path, seed, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = {key: options.pop(key) for key in ("rows", "columns", "dtype") if key in options}
    pixels = make_picture(seed, **size)
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def picture():
    return make_picture


@pytest.fixture
def save():
    return save_picture


@pytest.fixture
def make_set(tmp_path):
    """Write a data set: `images` maps image_id to columns; `points`, `boxes` map image_id to lists."""

    def make(images, points=None, boxes=None, name="set", seed=0):
        annotated = [k for k, v in (("points", points), ("boxes", boxes)) if v is not None]
        with DataSetWriter(tmp_path / name, {"name": name}, annotated) as writer:
            for number, (image_id, columns) in enumerate(images.items()):
                columns = dict(columns)
                picture_seed = columns.pop("seed", 1000 * seed + number)
                annotation = Annotation(
                    label=columns.pop("label", None),
                    points=None if points is None else Points(np.array(points.get(image_id, []))),
                    boxes=None
                    if boxes is None
                    else Boxes(
                        np.array([b[:4] for b in boxes.get(image_id, [])]),
                        tuple(b[4] for b in boxes.get(image_id, [])),
                    ),
                )
                writer.add(Radiograph(image_id, make_picture(picture_seed)), annotation, **columns)
        return DataSet.read(tmp_path / name)

    return make


@pytest.fixture
def table():
    """An `images` table without files: rows of (image_id, patient_id, body_part)."""

    def make(rows):
        return pl.DataFrame(
            {
                "image_id": [r[0] for r in rows],
                "patient_id": [r[1] for r in rows],
                "body_part": [r[2] for r in rows],
            },
            schema={"image_id": pl.String, "patient_id": pl.String, "body_part": pl.String},
        )

    return make
