"""Kill a preparation with SIGKILL at random moments, resume it, and compare with one that nobody killed."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from crepitus.data import DataSetWriter
from crepitus.structures import Annotation, Points, Radiograph
from record import write_result
from resume import content

BLANK_EVERY = 25


def make_set(root: Path, count: int) -> None:
    """Small images of a bar with noise and a point; some are blank, and will be set aside."""
    rng = np.random.default_rng(0)
    with DataSetWriter(root, {"name": "killed"}, annotated=("points",)) as writer:
        for number in range(count):
            pixels = rng.normal(20, 4, (256, 192))
            cv2.rectangle(pixels, (60 + number % 40, 0), (110 + number % 40, 256), 150, -1)
            pixels = np.clip(pixels, 0, 255).astype(np.uint8)
            if number % BLANK_EVERY == 0:
                pixels[:] = 7
            points = Points(np.array([[70.0 + number % 40, 100.5]]))
            writer.add(Radiograph(f"i{number:05}", pixels), Annotation(1, points), body_part="WRIST")


def command(source: Path, out: Path) -> list[str]:
    """The preparation as a user starts it."""
    steps = "polarity,split,align,pad,resize"
    words = ["prepare", source, "--out", out, "--steps", steps, "--size", 128, "--workers", 2]
    return [sys.executable, "-m", "crepitus", *map(str, words)]


def main() -> int:
    """0 if the killed preparation ends with the same files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    root, draw = Path(tempfile.mkdtemp()), random.Random(arguments.seed)
    make_set(root / "in", arguments.images)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    began = time.monotonic()
    subprocess.run(command(root / "in", root / "whole"), check=False, **quiet)
    whole = time.monotonic() - began
    killed = completed = different = 0
    while killed < arguments.kills:
        process = subprocess.Popen(command(root / "in", root / "out"), **quiet)
        try:
            process.wait(draw.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
            continue
        completed += 1
        different += content(root / "out") != content(root / "whole")
        shutil.rmtree(root / "out")
    status = subprocess.run(command(root / "in", root / "out"), check=False, **quiet).returncode
    different += content(root / "out") != content(root / "whole")
    files = len(content(root / "whole"))
    shutil.rmtree(root)
    figures = {
        "images": arguments.images,
        "kills": killed,
        "completed": completed + 1,
        "completed with other files": different,
        "files compared": files,
        "last status": status,
    }
    write_result(figures, seed=arguments.seed, out=arguments.out)
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
