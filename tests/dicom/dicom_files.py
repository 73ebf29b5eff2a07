"""Small DICOM data sets for the tests."""

import numpy as np
from pydicom.dataset import Dataset

from crepitus.dicom.write import Identity, write_dx

IDENTITY = Identity("PHANTOM^Test", "P1", "study-1", "image-1")


def ramp(rows=6, columns=8, dtype=np.uint16):
    top = np.iinfo(dtype).max
    return np.linspace(0, top, rows * columns).round().astype(dtype).reshape(rows, columns)


def written(path, pixels=None, **options):
    write_dx(path, ramp() if pixels is None else pixels, IDENTITY, **options)
    return path


def module(**elements):
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
