"""How a written image keeps its pixels: kind of object, transfer syntax, polarity, depth, sign, window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate

from crepitus.errors import UsageError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_QUALITY = 95
_JPEG_2000_DB = 60
"""Peak signal to noise of a lossy JPEG 2000 image, dB: about a thousandth of the range per pixel."""

_HTJ2K_STEP = 0.0005
"""Quantization step of a lossy HTJ2K image, share of the range."""


@dataclass(frozen=True)
class Syntax:
    """A transfer syntax that can be written.

    Attributes:
        uid: of PS3.6 annex A.
        encode: cells and bits stored to a codestream; None where pydicom writes the pixels.
        depths: bits stored that it takes; empty for 8 to 16.
        lossy: Lossy Image Compression Method (0028,2114), or None for a lossless one.
    """

    uid: uid.UID
    encode: Callable[[Pixels, int], bytes] | None = None
    depths: tuple[int, ...] = ()
    lossy: str | None = None


def _jpeg(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(cells, level=_QUALITY, bitspersample=bits))


def _jpeg_lossless(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    # The encoder takes 2 to 8 bits from bytes and 9 to 16 from words.
    depth = max(bits, 8 * cells.dtype.itemsize - 7)
    return bytes(imagecodecs.jpeg8_encode(cells, lossless=True, predictor=1, bitspersample=depth))


def _jpeg_2000_lossless(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg2k_encode(cells, codecformat="J2K", bitspersample=bits, reversible=True))


def _jpeg_2000(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    stream = imagecodecs.jpeg2k_encode(cells, level=_JPEG_2000_DB, codecformat="J2K", bitspersample=bits)
    return bytes(stream)


def _htj2k_lossless(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.htj2k_encode(cells, reversible=True))


def _htj2k(cells: Pixels, bits: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.htj2k_encode(cells, level=_HTJ2K_STEP, reversible=False))


_BYTES = (8, 16)
"""The HTJ2K encoder writes the depth of the type into the codestream, which must be that of the data set."""

SYNTAXES: dict[str, Syntax] = {
    "explicit": Syntax(uid.ExplicitVRLittleEndian),
    "implicit": Syntax(uid.ImplicitVRLittleEndian),
    "big-endian": Syntax(uid.ExplicitVRBigEndian),
    "deflated": Syntax(uid.DeflatedExplicitVRLittleEndian),
    "rle": Syntax(uid.RLELossless),
    "jpeg-8": Syntax(uid.JPEGBaseline8Bit, _jpeg, (8,), "ISO_10918_1"),
    "jpeg-12": Syntax(uid.JPEGExtended12Bit, _jpeg, (12,), "ISO_10918_1"),
    "jpeg-lossless": Syntax(uid.JPEGLosslessSV1, _jpeg_lossless),
    "jpeg-ls": Syntax(uid.JPEGLSLossless),
    "jpeg-2000-lossless": Syntax(uid.JPEG2000Lossless, _jpeg_2000_lossless),
    "jpeg-2000": Syntax(uid.JPEG2000, _jpeg_2000, (), "ISO_15444_1"),
    "htj2k-lossless": Syntax(uid.HTJ2KLossless, _htj2k_lossless, _BYTES),
    "htj2k": Syntax(uid.HTJ2K, _htj2k, _BYTES, "ISO_15444_15"),
}
"""Transfer syntaxes by name."""

PHOTOMETRIC = ("MONOCHROME2", "MONOCHROME1")


@dataclass(frozen=True)
class Encoding:
    """How pixels are stored; the image that a reader shows is the same for all lossless ones.

    Attributes:
        modality: "DX" or "CR".
        syntax: key of `SYNTAXES`.
        photometric: "MONOCHROME2", or "MONOCHROME1" with inverted values.
        bits: bits stored, 8 to 16; None means those of the pixels, or those that the syntax needs.
        signed: two's complement, the middle grey at 0; CR only.
        rescale: Rescale Slope (above 0) and Intercept; CR only.
        window: Window Center and Width, in values after the rescale; None means the whole range, which
            shows the pixels as they are.
        for_processing: Digital X-Ray Image Storage - For Processing, without a window; DX only.

    Raises:
        UsageError: values that do not exist or do not go together.
    """

    modality: str = "DX"
    syntax: str = "explicit"
    photometric: str = "MONOCHROME2"
    bits: int | None = None
    signed: bool = False
    rescale: tuple[float, float] | None = None
    window: tuple[float, float] | None = None
    for_processing: bool = False

    def __post_init__(self) -> None:
        _one_of("modality", self.modality, ("DX", "CR"))
        _one_of("transfer syntax", self.syntax, tuple(SYNTAXES))
        _one_of("photometric interpretation", self.photometric, PHOTOMETRIC)
        if self.bits is not None and not 8 <= self.bits <= 16:
            raise UsageError(f"bits: expected 8 to 16 bits stored, got {self.bits}")
        depths = SYNTAXES[self.syntax].depths
        if self.bits is not None and depths and self.bits not in depths:
            wanted = " or ".join(str(n) for n in depths)
            raise UsageError(f"bits: expected {wanted} with {self.syntax}, got {self.bits}")
        if self.modality == "DX" and (self.signed or self.rescale is not None):
            # PS3.3 C.8.11.3: Pixel Representation 0, Rescale Slope 1, Rescale Intercept 0.
            raise UsageError("expected unsigned pixels without a rescale in DX; choose the modality CR")
        if self.signed and SYNTAXES[self.syntax].encode is not None:
            raise UsageError(f"expected unsigned pixels with {self.syntax}; choose explicit, rle or jpeg-ls")
        if self.rescale is not None and not (np.isfinite(self.rescale).all() and self.rescale[0] > 0):
            raise UsageError(f"rescale: expected a slope above 0 and an intercept, got {self.rescale}")
        if self.window is not None and not (np.isfinite(self.window).all() and self.window[1] >= 1):
            raise UsageError(f"window: expected a centre and a width of at least 1, got {self.window}")
        if self.for_processing and (self.modality == "CR" or self.window is not None):
            raise UsageError("for processing: expected DX without a window, got CR or a window")

    @property
    def sop_class(self) -> uid.UID:
        """SOP Class UID of the object."""
        if self.modality == "CR":
            return uid.ComputedRadiographyImageStorage
        if self.for_processing:
            return uid.DigitalXRayImageStorageForProcessing
        return uid.DigitalXRayImageStorageForPresentation

    def depth(self, pixels: Pixels) -> int:
        """Bits stored for `pixels` (uint8 or uint16)."""
        own = 8 * pixels.dtype.itemsize
        depths = SYNTAXES[self.syntax].depths
        return self.bits or (own if own in depths or not depths else depths[0])


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{what}: expected one of {', '.join(known)}, got {value!r}")


def set_pixels(dataset: FileDataset, pixels: Pixels, encoding: Encoding) -> None:
    """Fill the Image Pixel, DX Image, Modality LUT and VOI LUT modules (PS3.3 C.7.6.3, C.8.11.3, C.11.1-2).

    Args:
        dataset: gets the elements, and its file meta information the transfer syntax.
        pixels: shape (rows, columns), uint8 or uint16, bone bright.
        encoding: how to store them.
    """
    bits = encoding.depth(pixels)
    inverse = encoding.photometric == "MONOCHROME1"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = encoding.photometric
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 if bits == 8 else 16
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(encoding.signed)
    dataset.BurnedInAnnotation = "NO"
    if encoding.modality == "DX":
        dataset.PixelIntensityRelationship = "LOG"
        # -1: higher values where less radiation arrived (PS3.3 C.8.11.3.1.2).
        dataset.PixelIntensityRelationshipSign = 1 if inverse else -1
        dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    _set_range(dataset, encoding, bits)
    cells = stored_cells(pixels, bits, inverse=inverse, signed=encoding.signed)
    _set_cells(dataset, cells, encoding)


def stored_cells(pixels: Pixels, bits: int, *, inverse: bool, signed: bool) -> Pixels:
    """Pixel cells: the range of the type brought to `bits` bits, uint8 for 8 bits, else uint16.

    Negative values are two's complement in `bits` bits with the sign repeated above (PS3.5 8.1.1).
    """
    top = 2**bits - 1
    values = np.rint(pixels * (top / np.iinfo(pixels.dtype).max)).astype(np.int32)
    if inverse:
        values = top - values
    if signed:
        values = values - 2 ** (bits - 1)
    if bits == 8:
        return np.asarray(values, dtype=np.int32).astype(np.uint8)
    return np.asarray(values & 0xFFFF).astype(np.uint16)


def _set_range(dataset: FileDataset, encoding: Encoding, bits: int) -> None:
    slope, intercept = encoding.rescale or (1.0, 0.0)
    if encoding.modality == "DX" or encoding.rescale is not None:
        dataset.RescaleIntercept, dataset.RescaleSlope = f"{intercept:.10g}", f"{slope:.10g}"
        dataset.RescaleType = "US"
    if encoding.for_processing:
        return
    lowest = intercept - (slope * 2 ** (bits - 1) if encoding.signed else 0.0)
    width = slope * (2**bits - 1) + 1
    # PS3.3 C.11.2.1.2.1: from black to white lie width - 1 values, centre - 0.5 in their middle.
    centre, width = encoding.window or (lowest + 0.5 + (width - 1) / 2, width)
    dataset.WindowCenter, dataset.WindowWidth = f"{centre:.10g}", f"{width:.10g}"


def _set_cells(dataset: FileDataset, cells: Pixels, encoding: Encoding) -> None:
    syntax = SYNTAXES[encoding.syntax]
    little = syntax.uid != uid.ExplicitVRBigEndian
    data = np.ascontiguousarray(cells.astype(cells.dtype.newbyteorder("<" if little else ">"))).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    # Bytes are no words only where a type can say so: implicit value representations are always OW.
    words = cells.dtype.itemsize == 2 or syntax.uid == uid.ImplicitVRLittleEndian
    dataset["PixelData"].VR = "OW" if words else "OB"
    dataset.LossyImageCompression = "00"
    if syntax.encode is not None:
        _set_stream(dataset, syntax.encode(cells, int(dataset.BitsStored)))
    elif syntax.uid.is_encapsulated:
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.compress(syntax.uid, generate_instance_uid=False)
    if syntax.lossy is not None:
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = f"{len(data) / len(dataset.PixelData):.4g}"
        dataset.LossyImageCompressionMethod = syntax.lossy
    dataset.file_meta.TransferSyntaxUID = syntax.uid


def _set_stream(dataset: FileDataset, stream: bytes) -> None:
    """One fragment, of even length (PS3.5 A.4)."""
    element: Any = dataset["PixelData"]
    element.value = encapsulate([stream])
    element.VR = "OB"
    element.is_undefined_length = True
