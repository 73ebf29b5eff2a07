"""Pictures and studies that the tests of written DICOM files share."""

import numpy as np

from crepitus.dicom.encoding import Encoding
from crepitus.dicom.write import Identity, write_dx


def smooth(levels, rows=63, columns=48, dtype=np.uint16):
    """A bright bar with soft edges, in `levels` steps from 0 to the largest value, odd number of rows."""
    y, x = np.mgrid[0:rows, 0:columns]
    bar = np.exp(-(((x - columns / 2 - 3 * np.sin(y / 9)) / (columns / 6)) ** 2))
    steps = np.rint(bar / bar.max() * (levels - 1))
    return np.rint(steps / (levels - 1) * np.iinfo(dtype).max).astype(dtype)


def two_views(folder, **encoding):
    """A wrist from two sides, as one study."""
    for number, view in enumerate(("PA", "LAT"), start=1):
        who = Identity("PHANTOM^Wrist", "p1", "s1", f"s1-{number}", sex="F", age=61.5, number=number)
        write_dx(
            folder / f"{number}.dcm",
            smooth(256, dtype=np.uint8),
            who,
            spacing_mm=0.15,
            body_part="WRIST",
            view=view,
            laterality="R",
            kilovolt=55.0,
            encoding=Encoding(**encoding),
        )
    return [folder / "1.dcm", folder / "2.dcm"]
