"""Reading a DICOM, PNG or JPEG file as grey pixels: the function that `predict` runs in a worker process."""

from __future__ import annotations

from pathlib import Path

from crepitus.data.images import IMAGE_SUFFIXES, GreyPixels, read_image
from crepitus.dicom.read import read_dicom


def read_file(path: Path) -> tuple[str | None, GreyPixels]:
    """The image id that a DICOM file gives itself (None for other files), and the pixels.

    Raises:
        SetAside: the file cannot be used, see `read_dicom` and `read_image`.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return None, read_image(path)
    radiograph = read_dicom(path)
    return radiograph.image_id, radiograph.pixels
