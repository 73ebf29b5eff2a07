"""The nouns of the project: frozen records with their shapes, units and coordinate system.

Coordinates: x right, y down, origin at the top-left corner of the top-left pixel; the centre of pixel
(row r, column c) is (x, y) = (c + 0.5, r + 0.5), as in DICOM SCOORD and COCO. Boxes are half-open
(x_min, y_min, x_max, y_max). Arrays are indexed (row, column).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from crepitus.errors import DataSetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

IMAGE_ID_PATTERN = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}")


def is_image_id(text: str) -> bool:
    """Whether `text` may name an image: 1 to 100 of letters, digits, '.', '_', '-'; no leading dot."""
    return IMAGE_ID_PATTERN.fullmatch(text) is not None


def _frozen(values: object, dtype: type, columns: int) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.array(values, dtype=dtype).reshape(-1, columns)
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class Points:
    """Fracture points: `xy` has shape (n, 2), float64, in pixels of the image."""

    xy: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xy", _frozen(self.xy, np.float64, 2))

    def __len__(self) -> int:
        return len(self.xy)


@dataclass(frozen=True)
class Boxes:
    """Labelled half-open boxes: `xyxy` has shape (n, 4), float64, pixels; one label per box."""

    xyxy: NDArray[np.float64]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", _frozen(self.xyxy, np.float64, 4))
        if not self.labels:
            object.__setattr__(self, "labels", ("fracture",) * len(self.xyxy))
        if len(self.labels) != len(self.xyxy):
            raise DataSetError(
                f"expected one label per box, got {len(self.labels)} for {len(self.xyxy)} boxes"
            )

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Centres of the boxes, shape (n, 2), (x, y) in pixels."""
        return (self.xyxy[:, :2] + self.xyxy[:, 2:]) / 2


@dataclass(frozen=True)
class Landmarks:
    """Named anatomical landmarks: `xy` has shape (n, 2), float64, pixels.

    `sd` has shape (n,), float64, pixels: the standard deviation along an axis of landmarks that were found;
    None where nothing is said about it, as of annotated ones.
    """

    names: tuple[str, ...]
    xy: NDArray[np.float64]
    sd: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "xy", _frozen(self.xy, np.float64, 2))
        if len(self.names) != len(self.xy):
            raise DataSetError(f"expected one name per landmark, got {len(self.names)} for {len(self.xy)}")
        if self.sd is not None:
            object.__setattr__(self, "sd", _frozen(self.sd, np.float64, 1)[:, 0])
            if len(self.sd) != len(self.xy):
                raise DataSetError(
                    f"expected one deviation per landmark, got {len(self.sd)} for {len(self.xy)}"
                )


@dataclass(frozen=True)
class Radiograph:
    """One projection radiograph.

    Attributes:
        image_id: unique in its data set, see `is_image_id`.
        pixels: shape (rows, columns), uint8 or uint16, bone bright on a dark background.
        spacing_mm: size of a pixel in mm, None where unknown; never guessed.
        metadata: further columns of the `images` table.
    """

    image_id: str
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    spacing_mm: float | None = None
    metadata: Mapping[str, str | int | float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_image_id(self.image_id):
            raise DataSetError(f"expected an image_id of {IMAGE_ID_PATTERN.pattern}, got {self.image_id!r}")
        if self.pixels.ndim != 2 or self.pixels.dtype not in (np.uint8, np.uint16):
            raise DataSetError(
                f"{self.image_id}: expected pixels of shape (rows, columns), uint8 or uint16, "
                f"got {self.pixels.shape} {self.pixels.dtype}"
            )

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Annotation:
    """What is known about one radiograph: label (1, 0, None unknown) and places."""

    label: int | None = None
    points: Points | None = None
    boxes: Boxes | None = None
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class Study:
    """Radiographs of one patient taken for one question, by the ids of its images."""

    study_id: str
    image_ids: tuple[str, ...]


@dataclass(frozen=True)
class Heatmap:
    """Fracture probability over a whole image.

    `values` has shape (h, w), float32, 0..1; cell (i, j) covers x in [j W/w, (j+1) W/w) and y in
    [i H/h, (i+1) H/h) of an image of H rows and W columns.
    """

    values: NDArray[np.float32]
    rows: int
    columns: int


@dataclass(frozen=True)
class Detections:
    """Boxes that a method found: `xyxy` (n, 4) in pixels of the image, `scores` (n,) in 0..1."""

    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", _frozen(self.xyxy, np.float64, 4))
        object.__setattr__(self, "scores", _frozen(self.scores, np.float64, 1)[:, 0])


@dataclass(frozen=True)
class Prediction:
    """A method's answer for one image; parts that the method does not give are None.

    `columns` are further columns of the predictions' images.csv; they are no scores of classes. `evidence` is
    a map for the reader that no figure uses.
    """

    image_id: str
    score: float
    class_scores: Mapping[str, float] = field(default_factory=dict)
    heatmap: Heatmap | None = None
    detections: Detections | None = None
    landmarks: Landmarks | None = None
    columns: Mapping[str, float] = field(default_factory=dict)
    evidence: Heatmap | None = None
