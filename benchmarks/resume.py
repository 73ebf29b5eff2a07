"""Kill a conversion with SIGKILL at random moments, resume it, and compare with one that nobody killed."""

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

import numpy as np

from crepitus.dicom.write import Identity, write_dx


def make_studies(folder: Path, count: int) -> None:
    """Studies of one to three small images, some files of which are no images."""
    rng = np.random.default_rng(0)
    for study in range(count):
        (folder / f"{study:04}").mkdir(parents=True)
        for image in range(1 + study % 3):
            pixels = rng.integers(0, 65536, (256, 192), dtype=np.uint16)
            identity = Identity("A^B", f"P{study // 2}", f"S{study}", f"{study}-{image}")
            write_dx(folder / f"{study:04}" / f"{image}.dcm", pixels, identity)
        if study % 25 == 0:
            (folder / f"{study:04}" / "notes.txt").write_text("no image")


def command(source: Path, out: Path, keys: Path) -> list[str]:
    """The conversion as a user starts it."""
    words = [
        sys.executable,
        "-m",
        "crepitus",
        "convert",
        source,
        "--out",
        out,
        "--keys",
        keys,
        "--workers",
        "2",
    ]
    return [str(word) for word in words]


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> int:
    """0 if the killed conversion ends with the same files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    root, draw = Path(tempfile.mkdtemp()), random.Random(arguments.seed)
    source, keys = root / "in", root / "keys.json"
    make_studies(source, arguments.studies)
    make_studies(root / "one", 1)
    subprocess.run(command(root / "one", root / "salt", keys), capture_output=True, check=False)
    began = time.monotonic()
    subprocess.run(command(source, root / "whole", keys), capture_output=True, check=False)
    whole = time.monotonic() - began
    print(f"{arguments.studies} studies, uninterrupted: {whole:.1f} s", flush=True)
    killed = 0
    while killed < arguments.kills:
        process = subprocess.Popen(
            command(source, root / "out", keys), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Long enough that some work is done between most kills, and the end is reached by the last.
        time.sleep(draw.uniform(0, 2 * whole / arguments.kills + 1.5))
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:
            print(f"complete after {killed} kills; started over", flush=True)
            if content(root / "out") != content(root / "whole"):
                print("DIFFERENT")
                return 1
            shutil.rmtree(root / "out")
    status = subprocess.run(command(source, root / "out", keys), capture_output=True, check=False).returncode
    same = content(root / "out") == content(root / "whole")
    print(f"{killed} kills, then status {status}: {'identical' if same else 'DIFFERENT'}")
    shutil.rmtree(root)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
