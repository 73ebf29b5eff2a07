"""Affine maps of image coordinates: what every geometric step is, exactly, and its way back."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from crepitus.errors import DataSetError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """The map x' = xx x + xy y + x0, y' = yx x + yy y + y0 between pixel coordinates.

    Coordinates are those of the project: the origin is the corner of the first pixel, its centre is
    (0.5, 0.5).
    """

    xx: float = 1.0
    xy: float = 0.0
    x0: float = 0.0
    yx: float = 0.0
    yy: float = 1.0
    y0: float = 0.0

    @classmethod
    def shift(cls, x: float, y: float) -> Affine:
        """Everything moves by (x, y) pixels."""
        return cls(x0=x, y0=y)

    @classmethod
    def scaling(cls, x: float, y: float) -> Affine:
        """Lengths along x and y are multiplied; the origin stays."""
        return cls(xx=x, yy=y)

    @classmethod
    def turn(cls, degrees: float) -> Affine:
        """Rotation about the origin; positive angles turn the picture clockwise, as it is looked at.

        Multiples of 90 degrees are exact.
        """
        quarter, rest = divmod(degrees, 90.0)
        if rest == 0.0:
            cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
        else:
            cosine, sine = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
        return cls(cosine, -sine, 0.0, sine, cosine, 0.0)

    def then(self, after: Affine) -> Affine:
        """This map, and `after` applied to its result."""
        return Affine(
            after.xx * self.xx + after.xy * self.yx,
            after.xx * self.xy + after.xy * self.yy,
            after.xx * self.x0 + after.xy * self.y0 + after.x0,
            after.yx * self.xx + after.yy * self.yx,
            after.yx * self.xy + after.yy * self.yy,
            after.yx * self.x0 + after.yy * self.y0 + after.y0,
        )

    @property
    def determinant(self) -> float:
        """Factor by which areas grow; negative where the map mirrors."""
        return self.xx * self.yy - self.xy * self.yx

    @property
    def scale(self) -> float:
        """Factor by which lengths grow: the root of that of areas."""
        return float(abs(self.determinant) ** 0.5)

    def inverse(self) -> Affine:
        """The way back.

        Raises:
            DataSetError: the map has none, since it flattens everything.
        """
        d = self.determinant
        if d == 0.0 or not np.isfinite(astuple(self)).all():
            raise DataSetError(f"expected an affine map that can be reversed, got {astuple(self)}")
        xx, xy, yx, yy = self.yy / d, -self.xy / d, -self.yx / d, self.xx / d
        return Affine(xx, xy, -(xx * self.x0 + xy * self.y0), yx, yy, -(yx * self.x0 + yy * self.y0))

    def points(self, xy: FloatArray) -> FloatArray:
        """Positions (n, 2), float64, mapped."""
        x, y = xy[:, 0], xy[:, 1]
        return np.stack([self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0], axis=1)

    def boxes(self, xyxy: FloatArray) -> FloatArray:
        """Boxes (n, 4) around the mapped boxes: where the map turns, they grow."""
        corners = xyxy[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 2)
        mapped = self.points(corners).reshape(-1, 4, 2)
        return np.concatenate([mapped.min(axis=1), mapped.max(axis=1)], axis=1)

    def matrix(self) -> FloatArray:
        """Shape (2, 3), for coordinates whose origin is the corner."""
        return np.array([[self.xx, self.xy, self.x0], [self.yx, self.yy, self.y0]])

    def index_matrix(self) -> FloatArray:
        """Shape (2, 3), for indices: coordinates whose origin is the centre of the first pixel."""
        half = Affine.shift(0.5, 0.5).then(self).then(Affine.shift(-0.5, -0.5))
        return half.matrix()
