"""Small DICOM data sets for the tests, in every transfer syntax of radiography."""

import imagecodecs
import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from crepitus.dicom.write import Identity, write_dx

IDENTITY = Identity("PHANTOM^Test", "P1", "study-1", "image-1")

HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K = (uid.UID(f"1.2.840.10008.1.2.4.{n}") for n in (201, 202, 203))

NATIVE = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "big-endian": uid.ExplicitVRBigEndian,
}

ENCODERS = {
    "jpeg-8": (uid.JPEGBaseline8Bit, lambda a, bits: imagecodecs.jpeg8_encode(a, level=100)),
    "jpeg-12": (
        uid.JPEGExtended12Bit,
        lambda a, bits: imagecodecs.jpeg_encode(a, level=98, bitspersample=12),
    ),
    "jpeg-lossless": (uid.JPEGLossless, lambda a, bits: lossless(a, bits, predictor=4)),
    "jpeg-lossless-sv1": (uid.JPEGLosslessSV1, lambda a, bits: lossless(a, bits, predictor=1)),
    "jpeg-ls": (uid.JPEGLSLossless, lambda a, bits: imagecodecs.jpegls_encode(a)),
    "jpeg-ls-near": (uid.JPEGLSNearLossless, lambda a, bits: imagecodecs.jpegls_encode(a, level=1)),
    "jpeg-2000-lossless": (uid.JPEG2000Lossless, lambda a, bits: jpeg2000(a, bits, reversible=True)),
    "jpeg-2000": (uid.JPEG2000, lambda a, bits: jpeg2000(a, bits, level=80)),
    "htj2k-lossless": (HTJ2K_LOSSLESS, lambda a, bits: imagecodecs.htj2k_encode(a, reversible=True)),
    "htj2k-rpcl": (HTJ2K_RPCL, lambda a, bits: imagecodecs.htj2k_encode(a, reversible=True)),
    "htj2k": (HTJ2K, lambda a, bits: imagecodecs.htj2k_encode(a, level=0.0001)),
}
"""Name: transfer syntax, and pixels and bits stored to one codestream."""

LOSSY = {"jpeg-8", "jpeg-12", "jpeg-ls-near", "jpeg-2000", "htj2k"}
SYNTAXES = (*NATIVE, "rle", *ENCODERS)


def lossless(pixels, bits, predictor):
    depth = max(bits, 8 * pixels.dtype.itemsize - 7)
    return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=depth)


def jpeg2000(pixels, bits, **options):
    return imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", bitspersample=bits, **options)


def ramp(rows=6, columns=8, dtype=np.uint16):
    top = np.iinfo(dtype).max
    return np.linspace(0, top, rows * columns).round().astype(dtype).reshape(rows, columns)


def limb(rows=64, columns=48, bits=12):
    """A bright bar with noise on a dark ground, uint16 (uint8 up to 8 bits): texture for encoders."""
    y, x = np.mgrid[0:rows, 0:columns]
    bar = np.exp(-(((x - columns / 2 - 3 * np.sin(y / 9)) / (columns / 6)) ** 2))
    noise = np.random.default_rng(7).normal(0, 0.01, (rows, columns))
    levels = np.clip(0.1 + 0.7 * bar + noise, 0, 1) * (2**bits - 1)
    return levels.round().astype(np.uint8 if bits <= 8 else np.uint16)


def written(path, pixels=None, **options):
    write_dx(path, ramp() if pixels is None else pixels, IDENTITY, **options)
    return path


def image_set(pixels, bits=None, identity=IDENTITY, folder=None, **elements):
    """A whole data set in explicit little endian, in memory, that holds `pixels` with `bits` stored bits."""
    path = folder / "made.dcm"
    write_dx(path, pixels.view(f"u{pixels.dtype.itemsize}"), identity, body_part="FOREARM", view="AP")
    dataset = pydicom.dcmread(path)
    path.unlink()
    dataset.BitsStored = bits or 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.WindowCenter, dataset.WindowWidth = str(2 ** (dataset.BitsStored - 1)), str(2**dataset.BitsStored)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        elif isinstance(value, DataElement):
            dataset.add(value)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset, path, syntax="explicit", pixels=None):
    """Write `dataset` in a transfer syntax of `SYNTAXES`; `pixels` are needed where it compresses."""
    dataset = pydicom.dcmread(path_of(dataset, path))
    if syntax == "rle":
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
    elif syntax in ENCODERS:
        syntax_uid, encode = ENCODERS[syntax]
        bits = int(dataset.BitsStored)
        set_frame(dataset, syntax_uid, bytes(encode(pixels.view(f"u{pixels.dtype.itemsize}"), bits)))
    else:
        dataset.file_meta.TransferSyntaxUID = NATIVE[syntax]
        if syntax == "big-endian" and dataset.BitsAllocated == 16:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        # Elements that were never looked at would be written in the byte order of their file.
        for element in dataset.iterall():
            if syntax == "big-endian" and element.keyword == "LUTData" and element.VR == "OW":
                element.value = np.frombuffer(element.value, "<u2").astype(">u2").tobytes()
        little, implicit = syntax != "big-endian", syntax == "implicit"
        pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=little, force_encoding=True)
        return path
    dataset.save_as(path)
    return path


def path_of(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return path


def set_frame(dataset, syntax, frame):
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax


def module(**elements):
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
