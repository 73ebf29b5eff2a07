"""Reading one DICOM radiograph: recognise, refuse what is no radiograph, decode, bring to display values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from crepitus.dicom.checks import PALETTE, check_is_radiograph, photometric_of, whole_number
from crepitus.dicom.decode import decode_cells
from crepitus.dicom.file import MAX_FILE_BYTES, faults_as_damaged, parse
from crepitus.dicom.grey import grey_of_colour, grey_of_palette
from crepitus.dicom.metadata import Columns, hashed, image_id_of, spacing_of, view_columns
from crepitus.dicom.photometric import display_values, stored_values
from crepitus.errors import Damaged, SetAside, TooLarge
from crepitus.structures import Radiograph


def read_dicom(path: Path | str) -> Radiograph:
    """Read a projection radiograph with one frame.

    Args:
        path: a DICOM file; its name and ending do not matter.

    Returns:
        pixels uint16, 0 black to 65535 white as displayed, bone bright; spacing where the header gives it;
        metadata `study_id`, `patient_id` (hashes of the identifiers), `body_part`, `view`, `laterality`,
        `spacing_source`, each None where the header is silent.

    Raises:
        NotDicom: neither prefix nor file meta information.
        Damaged: truncated, contradictory, or nested beyond reason.
        TooLarge: more than `MAX_PIXELS`, before anything is allocated, or an inflated size above the limit.
        NotRadiograph: another modality, several frames, colours.
        UnsupportedSyntax: no decoder for the transfer syntax.
    """
    path = Path(path)
    try:
        content = _content(path)
        dataset, syntax = parse(content)
        with faults_as_damaged():
            pixels = grey_pixels(dataset, syntax)
            spacing, source = spacing_of(dataset)
            metadata: Columns = {
                "study_id": hashed(dataset.get("StudyInstanceUID"), "study"),
                "patient_id": hashed(dataset.get("PatientID"), "patient"),
                **view_columns(dataset),
                "spacing_source": source,
            }
            return Radiograph(image_id_of(dataset, content), pixels, spacing, metadata)
    except SetAside as error:
        # Name the file once, here, so that every reason reads alike.
        raise type(error)(f"{path.name}: {error}") from error


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise Damaged("expected a file, there is none")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise TooLarge(f"{path.stat().st_size} bytes, the limit is {MAX_FILE_BYTES}")
    return path.read_bytes()


def grey_pixels(dataset: Dataset, syntax: uid.UID) -> NDArray[np.uint16]:
    """Display values of a data set's image.

    Args:
        dataset: from `parse`; not changed.
        syntax: its transfer syntax.

    Returns:
        shape (rows, columns), 0 black to 65535 white.

    Raises:
        NotRadiograph, TooLarge, Damaged, UnsupportedSyntax: see `read_dicom`.
    """
    check_is_radiograph(dataset)
    cells = decode_cells(dataset, syntax)
    if cells.ndim == 3:
        return grey_of_colour(cells, dataset, compressed=syntax.is_encapsulated and syntax != uid.RLELossless)
    bits = whole_number(dataset, "BitsStored", 0)
    signed = whole_number(dataset, "PixelRepresentation", 0) == 1
    stored = stored_values(cells, bits, whole_number(dataset, "HighBit", bits - 1), signed)
    if photometric_of(dataset) == PALETTE:
        return grey_of_palette(stored, dataset)
    return display_values(stored, dataset)
