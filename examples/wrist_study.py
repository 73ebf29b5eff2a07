"""From wrist DICOM studies with study labels to a report on studies and explanations: about five minutes.

    python examples/wrist_study.py --out build/wrist-study            # phantoms stand in for patients
    python examples/wrist_study.py --out build/wrist-study --incoming FOLDER --labels TABLE.csv

FOLDER holds DICOM files, in any folders. TABLE.csv has the columns study_instance_uid and label (1 fracture,
0 none). Each step is a command that is printed before it runs, so that it can be repeated by hand.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

DONE = (0, 3)
"""3: done, but some files were set aside; the command names the list of reasons."""


def crepitus(*arguments: object) -> None:
    """Print a command of the program and run it; a failure ends the example."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ crepitus {shlex.join(words)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "crepitus", *words], check=False).returncode
    if status not in DONE:
        sys.exit(status)


def make_incoming(out: Path, count: int, size: int) -> tuple[Path, Path]:
    """Phantoms as they would come from a hospital: a folder per study, and one label per study."""
    import polars as pl
    import pydicom

    made = out / "phantoms"
    options = ("--preset", "easy", "--kind", "colles", "--seed", 7)
    crepitus("phantom", "wrist", "--count", count, "--size", size, *options, "--dicom", "--out", made)
    labels: dict[str, int] = {}
    images = pl.read_parquet(made / "images.parquet")
    for image_id, study, label in images.select("image_id", "study_id", "label").iter_rows():
        source = made / "dicom" / f"{image_id}.dcm"
        folder = out / "incoming" / study
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)
        labels[str(pydicom.dcmread(source, stop_before_pixels=True).StudyInstanceUID)] = label
    table = out / "labels.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("study_instance_uid", "label"), *labels.items()])
    return out / "incoming", table


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument("--incoming", type=Path, help="DICOM files of your own")
    parser.add_argument("--labels", type=Path, help="their labels")
    parser.add_argument("--count", type=int, default=240, help="phantom images, two a study")
    parser.add_argument("--size", type=int, default=128, help="their rows and columns")
    parser.add_argument("--explain", type=int, default=12, help="images of the test set to explain")
    parser.add_argument("--config", type=Path, help="TOML file in place of the settings below")
    parser.add_argument(
        "--set", action="append", default=[], help="as of crepitus train", metavar="KEY=VALUE"
    )
    options = parser.parse_args()
    if (options.incoming is None) != (options.labels is None):
        parser.error("expected --incoming and --labels, or neither")
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    incoming, labels = options.incoming, options.labels
    if incoming is None:
        incoming, labels = make_incoming(out, options.count, options.size)

    # De-identified PNG files and a table; damaged files are listed in rejected.csv.
    crepitus("convert", incoming, "--labels", labels, "--out", out / "converted")
    # Bone bright, arms upright, fingers up.
    crepitus("prepare", out / "converted", "--steps", "polarity,align", "--out", out / "prepared")
    # Patients, not images, are dealt out.
    crepitus("split", out / "prepared", "--folds", 5, "--seed", 0)
    settings = [word for value in options.set for word in ("--set", value)]
    config = options.config or Path(__file__).with_name("wrist_study.toml")
    crepitus(
        "train", "wrist-rx", "--data", out / "prepared", "--config", config, *settings, "--out", out / "run"
    )
    # One answer per study: it has a fracture if at least one of its images does.
    rule = ("--study-rule", "at-least-one")
    crepitus("predict", out / "run", out / "prepared", "--split", "test", *rule, "--out", out / "predictions")
    crepitus("evaluate", out / "predictions", "--data", out / "prepared", "--bootstrap", 200)
    # Which pixels speak for a fracture and which against it, and how far such maps can be believed.
    few = ("--split", "test", "--limit", options.explain, "--steps", 10)
    crepitus("explain", out / "run", out / "prepared", *few, "--out", out / "explained")
    print(f"\nAnswers for studies: {out / 'predictions' / 'studies.csv'}")
    print(f"Report:              {out / 'predictions' / 'report.html'}")
    print(f"Explanations:        {out / 'explained' / 'explain.html'}")


if __name__ == "__main__":
    main()
