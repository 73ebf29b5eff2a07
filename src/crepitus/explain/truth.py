"""Where a fracture lies in a prepared image: points, and the mask that relevance should lie in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.data.folder import DataSet
from crepitus.data.images import read_image
from crepitus.errors import DataSetError, SetAside
from crepitus.evaluate.geometry import Radius
from crepitus.prepare.fit import InputFit

FRACTURE_BIT = 2
"""Value of the bit that says "a fracture surface" in the masks of a data set, see docs/phantom.md."""


@dataclass(frozen=True)
class Truth:
    """What is known about one image, on the grid of the network's input.

    Attributes:
        points: fracture points, shape (k, 2), (x, y); empty without any.
        radius_px: how far from a point still counts.
        mask: shape (h, w), bool: the fracture; None where nothing says what it covers.
    """

    points: NDArray[np.float64]
    radius_px: float
    mask: NDArray[np.bool_] | None


def truth_of(data: DataSet, image_id: str, fit: InputFit, radius: Radius) -> Truth:
    """The truth about an image of a data set.

    The mask is that of the data set, if it has masks, and otherwise the inside of the boxes labelled
    `fracture`. A pixel of the input belongs to it if any part of it does: a fracture line may be thinner.

    Raises:
        DataSetError: a mask cannot be read, or has another size than its image.
        UsageError: the radius is in millimetres and the spacing of the image is unknown.
    """
    row = data.row(image_id)
    size = (int(row["rows"]), int(row["columns"]))
    points = fit.to_input(data.points_by_image.get(image_id, np.zeros((0, 2))))
    scale = float(fit.scale.mean())
    radius_px = radius.in_pixels(size, row["spacing_mm"]) * scale
    return Truth(points, radius_px, _mask(data, image_id, size, fit))


def _mask(data: DataSet, image_id: str, size: tuple[int, int], fit: InputFit) -> NDArray[np.bool_] | None:
    path = data.mask_path(image_id)
    if path is not None and path.is_file():
        try:
            bits = read_image(path)
        except SetAside as error:
            raise DataSetError(f"{path}: the mask cannot be read ({error})") from error
        if bits.shape != size:
            raise DataSetError(
                f"{path}: expected {size[0]} x {size[1]} pixels as its image, got {bits.shape[0]} x "
                f"{bits.shape[1]}"
            )
        return _covered((bits & FRACTURE_BIT) > 0, fit)
    boxes = data.fracture_boxes_by_image.get(image_id)
    if boxes is None:
        return None
    mask = np.zeros((fit.height, fit.width), dtype=np.bool_)
    for x_min, y_min, x_max, y_max in fit.to_input(boxes.reshape(-1, 2)).reshape(-1, 4):
        mask[int(y_min) : int(np.ceil(y_max)), int(x_min) : int(np.ceil(x_max))] = True
    return mask


def _covered(mask: NDArray[np.bool_], fit: InputFit) -> NDArray[np.bool_]:
    """A mask of the image on the grid of the input."""
    content = cv2.resize(
        mask.astype(np.float32),
        (fit.content_columns, fit.content_rows),
        interpolation=cv2.INTER_AREA if fit.content_rows < fit.rows else cv2.INTER_NEAREST,
    )
    result = np.zeros((fit.height, fit.width), dtype=np.bool_)
    rows = slice(fit.top, fit.top + fit.content_rows)
    result[rows, fit.left : fit.left + fit.content_columns] = content > 0
    return result
