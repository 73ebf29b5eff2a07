"""Colour and palette images as grey, where every pixel is exactly grey."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from crepitus.dicom.checks import PALETTE, photometric_of, whole_number
from crepitus.dicom.photometric import OUTPUT_MAX, lut_table
from crepitus.errors import NotRadiograph

_NEUTRAL = 0.5
"""Chroma of grey, as a part of the range (PS3.3 C.7.6.3.1.2, YBR_FULL)."""


def grey_of_colour(cells: NDArray[Any], dataset: Dataset, compressed: bool) -> NDArray[np.uint16]:
    """Display values of a picture with three samples per pixel (PS3.3 C.7.6.3.1.2).

    Args:
        cells: shape (rows, columns, 3), unsigned.
        dataset: Photometric Interpretation, Bits Stored.
        compressed: decoders of compressed streams give RGB; otherwise the cells are as announced.

    Returns:
        shape (rows, columns), 0 black to 65535 white.

    Raises:
        NotRadiograph: a pixel has a colour.
    """
    bits = whole_number(dataset, "BitsStored", 8)
    kind = photometric_of(dataset)
    samples = cells.astype(np.uint16) & ((1 << bits) - 1)
    if kind != "RGB" and not compressed:
        if kind != "YBR_FULL":
            raise NotRadiograph(f"expected grey or RGB pixels, got uncompressed {kind}")
        exact = bool((samples[..., 1:] == int(_NEUTRAL * (1 << bits))).all())
    else:
        exact = bool((samples == samples[..., :1]).all())
    if not exact:
        raise NotRadiograph("expected a grey picture, got colours")
    return _levels(samples[..., 0].astype(np.float64) / ((1 << bits) - 1))


def grey_of_palette(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.uint16]:
    """Display values of a picture with a palette (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6).

    Args:
        stored: shape (rows, columns), see `stored_values`.
        dataset: the three tables.

    Returns:
        shape (rows, columns), 0 black to 65535 white.

    Raises:
        NotRadiograph: the palette is segmented, or gives a pixel a colour.
        Damaged: a table contradicts its descriptor.
    """
    tables, first, bits = [], 0, 8
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTable"
        if dataset.get(f"{name}Data") is None:
            raise NotRadiograph(
                f"expected a grey picture, got a {PALETTE.lower()} picture without {name}Data"
            )
        table, first, bits = lut_table(
            dataset.get(f"{name}Descriptor"), dataset.get(f"{name}Data"), dataset, signed_input=False
        )
        tables.append(table)
    if len({len(table) for table in tables}) != 1:
        raise NotRadiograph("expected a grey picture, got a palette with tables of different lengths")
    index = np.clip(stored.astype(np.int32) - first, 0, len(tables[0]) - 1)
    used = np.unique(index)
    if any((table[used] != tables[0][used]).any() for table in tables):
        raise NotRadiograph("expected a grey picture, got a palette with colours")
    return _levels(tables[0][index] / (2.0**bits - 1.0))


def _levels(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.rint(np.clip(values, 0.0, 1.0) * OUTPUT_MAX).astype(np.uint16)
