"""MURA 1.1 (Rajpurkar et al., MIDL 2018): 40,561 radiographs of the upper limb in 14,863 studies.

Layout: {train,valid}/XR_<PART>/patient<N>/study<N>_{positive,negative}/image<N>.png. Positive means abnormal,
which is more than fractured (hardware, degeneration, lesions): it goes to the column `abnormal`, and `label`
stays empty.
"""

from __future__ import annotations

import re
from pathlib import Path

from crepitus.data.sources.layout import Layout, Options, SourceImage, image_files
from crepitus.errors import UsageError

INFO = {
    "name": "MURA",
    "licence": "Stanford University School of Medicine MURA Dataset Research Use Agreement",
    "source": "Rajpurkar et al., MURA: Large Dataset for Abnormality Detection, MIDL 2018, arXiv:1712.06957",
}
PUBLISHED_SPLITS = {"train": "train", "valid": "val"}
PATTERN = re.compile(
    r"(?P<split>train|valid)/XR_(?P<part>[A-Z]+)/(?P<patient>patient\w+)/"
    r"(?P<study>study\w+?)_(?P<finding>positive|negative)/(?P<image>[^/]+)\.\w+"
)


def read(source: Path, options: Options) -> Layout:
    """Read a MURA folder, or the folder that holds MURA-v1.1.

    Ids do not contain the finding, so that it cannot be read from a file name or a report.

    Raises:
        UsageError: no file has the layout's path.
    """
    root = source
    if not (root / "train").is_dir() and not (root / "valid").is_dir():
        inner = sorted(path.parent for name in ("train", "valid") for path in source.glob(f"MURA*/{name}"))
        root = inner[0] if inner else source
    images, other = [], 0
    for path in image_files(root):
        name = path.relative_to(root).as_posix()
        found = PATTERN.fullmatch(name)
        if found is None:
            other += 1
            continue
        study = f"{found['patient']}_{found['part']}_{found['study']}"
        images.append(
            SourceImage(
                image_id=f"{study}_{found['image']}",
                name=name,
                file=path,
                columns={
                    "study_id": study,
                    "patient_id": found["patient"],
                    "body_part": found["part"].lower(),
                    "abnormal": int(found["finding"] == "positive"),
                    "published_split": PUBLISHED_SPLITS[found["split"]],
                },
            )
        )
    if not images:
        raise UsageError(
            f"{source}: expected files train/XR_WRIST/patient00001/study1_positive/image1.png, got none; "
            "is --format right?"
        )
    warnings = [f"{other} images lie outside the layout and are left out"] if other else []
    return Layout(INFO, (), images, warnings)
