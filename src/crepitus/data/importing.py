"""From a layout to a data set folder: every image decoded once, boxes clipped, damaged files set aside."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from crepitus.data.folder import FRACTURE
from crepitus.data.images import GreyPixels, read_image
from crepitus.data.sources.layout import Box, Layout, SourceImage, rounded
from crepitus.data.writer import DataSetWriter, Rejection
from crepitus.errors import Damaged, DataSetError, SetAside
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph


@dataclass(frozen=True)
class _Decoded:
    """`shape` is (rows, columns); `pixels` are kept only where the file cannot be taken over as it is."""

    shape: tuple[int, int]
    pixels: GreyPixels | None


def import_layout(
    layout: Layout,
    writer: DataSetWriter,
    *,
    workers: int | None = None,
    watch: Callable[[Iterable[SourceImage]], Iterable[SourceImage]] = iter,
) -> list[str]:
    """Decode every image of `layout`, and write it with its annotations.

    Args:
        layout: the source.
        writer: the new data set; what cannot be used goes to its `rejected`.
        workers: threads that decode (decoders release the interpreter lock); default: one per core.
        watch: wraps the images, to show progress.

    Returns:
        Sentences for the user: the layout's own, and one for every annotation that had to be changed.

    Raises:
        DataSetError: no image can be used; the folder of `writer` is removed again.
    """
    warnings = list(layout.warnings)
    results = _decode_all(layout.images, workers or os.cpu_count() or 1)
    for image, result in zip(watch(layout.images), results, strict=True):
        if isinstance(result, SetAside):
            writer.set_aside(image.name, result)
            continue
        annotation = _annotation(image, result.shape, layout.annotated, warnings)
        if _lost_its_places(image, annotation):
            warnings.append(f"{image.name}: no fracture place is left; labelled 1, at an unknown place")
            annotation = replace(annotation, label=1)
        _write(writer, image, annotation, result)
    if not len(writer):
        writer.discard()
        raise DataSetError(_why_nothing(writer.rejected))
    return warnings


def _why_nothing(rejected: list[Rejection]) -> str:
    if not rejected:
        return "expected images, the source has none; nothing was written"
    _, code, message = rejected[0]
    return (
        f"expected images, none of the {len(rejected)} of the source can be used; the first: "
        f"{message} ({code}); nothing was written"
    )


def _decode_all(images: list[SourceImage], workers: int) -> Iterator[_Decoded | SetAside]:
    """Results in the order of `images`, at most a few per worker in memory."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[_Decoded | SetAside]] = deque()
        remaining = iter(images)
        waiting.extend(pool.submit(_decode, image) for image in islice(remaining, 4 * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(_decode, image) for image in islice(remaining, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def _decode(image: SourceImage) -> _Decoded | SetAside:
    try:
        if image.file is None:
            raise Damaged(f"{image.name}: listed, but there is no such file")
        pixels = read_image(image.file)
    except SetAside as error:
        return error
    shape = (int(pixels.shape[0]), int(pixels.shape[1]))
    if image.size is not None and image.size != shape:
        return Damaged(
            f"{image.name}: the annotations are for {image.size[0]} x {image.size[1]} pixels, "
            f"the file has {shape[0]} x {shape[1]}"
        )
    return _Decoded(shape, None if _is_plain(image.file, pixels) else pixels)


def _is_plain(file: Path, pixels: GreyPixels) -> bool:
    """Whether the file already is what the format wants: a JPEG, or a PNG with grey levels only."""
    with file.open("rb") as stream:
        header = stream.read(26)
    if header.startswith(b"\xff\xd8"):
        return file.suffix.lower() in (".jpg", ".jpeg")
    # PNG specification, 11.2.1: bit depth at byte 24, colour type (0: grey) at byte 25.
    depth = 8 * pixels.dtype.itemsize
    return file.suffix.lower() == ".png" and header[24] == depth and header[25] == 0


def _annotation(
    image: SourceImage, shape: tuple[int, int], annotated: tuple[str, ...], warnings: list[str]
) -> Annotation:
    rows, columns = shape
    boxes: list[Box] = []
    labels: list[str] = []
    for given, label in image.boxes:
        box = clip_box(_in_pixels(given, shape) if image.relative else given, shape)
        if box is None:
            warnings.append(
                f"{image.name}: left out the box {_short(given)} ({label}), it is empty or outside"
            )
            continue
        boxes.append(box)
        labels.append(label)
    found = Boxes(np.array(boxes, dtype=np.float64), tuple(labels))
    points = found.centres[[label == FRACTURE for label in labels]] if boxes else np.zeros((0, 2))
    if image.points is not None:
        points = np.array(image.points, dtype=np.float64).reshape(-1, 2)
    points = _inside_points(points, image.name, rows, columns, warnings)
    marks = [m for m in image.landmarks if 0 <= m[1] < columns and 0 <= m[2] < rows]
    if len(marks) < len(image.landmarks):
        warnings.append(f"{image.name}: left out {len(image.landmarks) - len(marks)} landmarks outside")
    return Annotation(
        label=image.label,
        points=Points(points) if "points" in annotated else None,
        boxes=found if "boxes" in annotated else None,
        landmarks=Landmarks(tuple(m[0] for m in marks), np.array([m[1:] for m in marks], dtype=np.float64))
        if "landmarks" in annotated
        else None,
    )


def _lost_its_places(image: SourceImage, annotation: Annotation) -> bool:
    """Whether a positive by its fracture places would become a negative, because none could be used."""
    if annotation.label is not None or (annotation.points is None and annotation.boxes is None):
        return False
    had = bool(image.points) or any(label == FRACTURE for _, label in image.boxes)
    has_points = annotation.points is not None and len(annotation.points.xy) > 0
    has_boxes = annotation.boxes is not None and FRACTURE in annotation.boxes.labels
    return had and not has_points and not has_boxes


def clip_box(box: Box, shape: tuple[int, int]) -> Box | None:
    """`box` clipped to an image of `shape` (rows, columns); None if nothing is left or it is not finite."""
    if not np.isfinite(box).all():
        return None
    rows, columns = shape
    limits = (columns, rows, columns, rows)
    x_min, y_min, x_max, y_max = (
        min(max(value, 0.0), float(limit)) + 0.0 for value, limit in zip(box, limits, strict=True)
    )
    return (x_min, y_min, x_max, y_max) if x_min < x_max and y_min < y_max else None


def _in_pixels(box: Box, shape: tuple[int, int]) -> Box:
    rows, columns = shape
    return rounded((box[0] * columns, box[1] * rows, box[2] * columns, box[3] * rows))


def _inside_points(
    points: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    name: str,
    rows: int,
    columns: int,
    warnings: list[str],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Points moved inside from the far edge, left out where they lie beyond or are not finite."""
    size = np.array([columns, rows], dtype=np.float64)
    keep = ((points >= 0) & (points <= size)).all(axis=1)
    for x, y in points[~keep]:
        warnings.append(f"{name}: left out the point ({x:g}, {y:g}), it is outside {columns} x {rows}")
    return np.minimum(points[keep], np.nextafter(size, 0))


def _write(writer: DataSetWriter, image: SourceImage, annotation: Annotation, decoded: _Decoded) -> None:
    if decoded.pixels is not None:
        writer.add(Radiograph(image.image_id, decoded.pixels), annotation, **image.columns)
    elif image.file is not None:
        size = {"rows": decoded.shape[0], "columns": decoded.shape[1]}
        writer.add_file(image.file, annotation, image_id=image.image_id, **image.columns, **size)


def _short(box: Box) -> str:
    return "(" + ", ".join(f"{value:g}" for value in box) + ")"
