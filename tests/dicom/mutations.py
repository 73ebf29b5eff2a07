"""Seeded damage to DICOM files: headers and codestreams of every transfer syntax."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
import pydicom
from dicom_files import SYNTAXES, image_set, limb, save
from pydicom import uid

from crepitus.dicom.write import Identity

ODD_NUMBERS = (0, 1, 7, 8, 9, 12, 15, 16, 17, 31, 32, 64, 255, 256, 4095, 32767, 32768, 65534, 65535)
ODD_LENGTHS = (0, 1, 7, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
ODD_TEXTS = ("", "NaN", "-1e400", "1\\2\\3\\4\\5", "x" * 300, "../../x", "0", "-0.0000001", "1e-300")
NUMBERS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PixelPaddingValue", "PlanarConfiguration",
)  # fmt: skip
TEXTS = (
    "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "PixelSpacing",
    "PhotometricInterpretation", "PresentationLUTShape", "VOILUTFunction", "SpecificCharacterSet", "Modality",
    "StudyDate", "BodyPartExamined", "KVP",
)  # fmt: skip
PLACEHOLDER = "2.25.111111111111111111111111111111111111"


@dataclass(frozen=True)
class Whole:
    """A file before it is damaged, and where its pixel data element begins."""

    syntax: str
    content: bytes
    pixels_at: int


def whole_files(folder, rows=48, columns=40):
    """One valid file per syntax; all have the same SOP Instance UID, `PLACEHOLDER`."""
    made = []
    for syntax in SYNTAXES:
        bits = 8 if syntax == "jpeg-8" else 12
        pixels = limb(rows, columns, bits)
        dataset = image_set(
            pixels, bits, Identity("A^B", "P1", "S1", "I1"), folder, SOPInstanceUID=PLACEHOLDER
        )
        dataset.file_meta.MediaStorageSOPInstanceUID = PLACEHOLDER
        dataset.PixelSpacing, dataset.KVP = ["0.15", "0.15"], "70"
        content = save(dataset, folder / syntax, syntax, pixels).read_bytes()
        (folder / syntax).unlink()
        tag = b"\x7f\xe0\x00\x10" if syntax == "big-endian" else b"\xe0\x7f\x10\x00"
        made.append(Whole(syntax, content, max(content.rfind(tag), 300)))
    return made


def set_number(whole, rng):
    return edited(whole, str(rng.choice(NUMBERS)), int(rng.choice(ODD_NUMBERS)))


def set_text(whole, rng):
    return edited(whole, str(rng.choice(TEXTS)), str(rng.choice(ODD_TEXTS)))


def set_syntax(whole, rng):
    """Another transfer syntax than the pixel data has."""
    known = [s for s in uid.UID_dictionary if uid.UID(s).is_transfer_syntax]
    dataset = pydicom.dcmread(io.BytesIO(whole.content))
    name = str(dataset.file_meta.TransferSyntaxUID)
    other = str(rng.choice(known))
    return whole.content.replace(
        padded(name), padded(other).ljust(len(padded(name)), b"\0")[: len(padded(name))]
    )


def padded(text):
    return text.encode() + b"\0" * (len(text) % 2)


def edited(whole, keyword, value):
    """The file with another value of one element, written as the standard wants it."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(whole.content))
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            setattr(dataset, keyword, value)
            buffer = io.BytesIO()
            dataset.save_as(buffer)
        return buffer.getvalue()
    except Exception:  # pydicom writes no such value; damage its bytes instead
        return flip(whole.content, np.random.default_rng(len(keyword)), 132, whole.pixels_at)


def flip(content, rng, start, stop, most=8):
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, most + 1))):
        damaged[int(rng.integers(start, max(start + 1, stop)))] = int(rng.integers(256))
    return bytes(damaged)


def flip_header(whole, rng):
    return flip(whole.content, rng, 128, whole.pixels_at)


def flip_pixels(whole, rng):
    return flip(whole.content, rng, whole.pixels_at, len(whole.content))


def flip_codestream_header(whole, rng):
    start = min(whole.pixels_at + 28, len(whole.content) - 1)
    return flip(whole.content, rng, start, min(start + 90, len(whole.content)), most=3)


def odd_length(whole, rng):
    at = int(rng.integers(128, len(whole.content) - 4))
    order = "big" if rng.random() < 0.3 else "little"
    value = int(rng.choice(np.array(ODD_LENGTHS, dtype=np.int64))).to_bytes(4, order)
    return whole.content[:at] + value + whole.content[at + 4 :]


def cut(whole, rng):
    return whole.content[: int(rng.integers(0, len(whole.content)))]


def remove(whole, rng):
    at, count = int(rng.integers(128, len(whole.content))), int(rng.integers(1, 400))
    return whole.content[:at] + whole.content[at + count :]


def repeat(whole, rng):
    at, count = int(rng.integers(128, len(whole.content))), int(rng.integers(1, 400))
    return whole.content[:at] + whole.content[at : at + count] * int(rng.integers(2, 5)) + whole.content[at:]


def insert_noise(whole, rng):
    at, count = int(rng.integers(128, len(whole.content))), int(rng.integers(1, 400))
    return whole.content[:at] + rng.bytes(count) + whole.content[at:]


def constant_run(whole, rng):
    at, count = int(rng.integers(whole.pixels_at, len(whole.content))), int(rng.integers(1, 600))
    value = bytes([int(rng.choice((0, 0xFF, 0x80)))])
    return whole.content[:at] + value * count + whole.content[at + count :]


def marker_length(whole, rng):
    """The length behind one of the codestream's markers."""
    starts = [i for i in range(whole.pixels_at, len(whole.content) - 4) if whole.content[i] == 0xFF]
    if not starts:
        return flip_pixels(whole, rng)
    at = int(rng.choice(starts)) + 2
    return whole.content[:at] + int(rng.choice(ODD_NUMBERS)).to_bytes(2, "big") + whole.content[at + 2 :]


KINDS = (
    set_number, set_text, set_syntax, flip_header, flip_pixels, flip_codestream_header, odd_length, cut,
    remove, repeat, insert_noise, constant_run, marker_length,
)  # fmt: skip


def mutation(wholes, seed, number):
    """Damaged file `number` of a seed: name of its syntax, name of the damage, content.

    Syntaxes take turns, so that a small count meets every one; the kind of damage is drawn.
    """
    rng = np.random.default_rng([seed, number])
    whole = wholes[number % len(wholes)]
    kind = KINDS[int(rng.integers(len(KINDS)))]
    # Every file is an image of its own; the digits keep the length.
    own = (PLACEHOLDER[: -len(str(number))] + str(number)).encode()
    content = whole.content.replace(PLACEHOLDER.encode(), own)
    return whole.syntax, kind.__name__, kind(Whole(whole.syntax, content, whole.pixels_at), rng)
