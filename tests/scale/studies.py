"""A folder of small studies, some of whose files are no images, that the tests of `scale` convert."""

import zipfile

import numpy as np

from crepitus.dicom.write import Identity, write_dx


def picture(number, rows=64, columns=48):
    """A bright bar whose place depends on the number."""
    x = np.arange(columns) - columns / 3 - number % 16
    return np.tile(np.rint(60000 * np.exp(-((x / 6) ** 2))).astype(np.uint16), (rows, 1))


def study(path, number, image=None):
    """One file of one study."""
    path.parent.mkdir(parents=True, exist_ok=True)
    who = Identity(f"NAME^{number}", f"P{number // 2}", f"S{number}", image or f"I{number}")
    write_dx(path, picture(number), who, spacing_mm=0.2, body_part="WRIST", view="PA")


def hospital(folder, count):
    """`count` studies, a copy of one, a text, a file that ends early, an archive with two more studies."""
    for number in range(count):
        study(folder / f"{number:03}" / "a.dcm", number)
    whole = (folder / "000" / "a.dcm").read_bytes()
    (folder / "001" / "copy").write_bytes(whole)
    (folder / "text").write_text("no image")
    (folder / "cut").write_bytes(whole[:-50])
    for number in (count, count + 1):
        study(folder.parent / "zipped" / str(number), number)
    with zipfile.ZipFile(folder / "disc.zip", "w") as archive:
        for number in (count, count + 1):
            archive.write(folder.parent / "zipped" / str(number), f"in/{number}")
        archive.writestr("../out", b"x")


REJECTED = {"001/copy": "duplicate", "cut": "damaged", "disc.zip/../out": "unsafe-entry", "text": "not-dicom"}


def content(folder):
    """Every file of a folder by its name."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name].read_bytes() for name in sorted(found)}
