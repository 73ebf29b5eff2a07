"""Images per second and memory of `convert` and `prepare`, 1 and 2 workers, beside pydicom and Pillow."""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
from PIL import Image

from crepitus.data.convert_records import Progress
from crepitus.data.converting import Settings, convert
from crepitus.data.preparing import prepare
from crepitus.dicom.write import Identity, write_dx
from crepitus.prepare.pipeline import Recipe

ROWS, COLUMNS = 2500, 2048
STEPS = ("polarity", "split", "align")


def make_files(folder: Path, count: int) -> None:
    """Uncompressed 16-bit radiographs: a few different pictures of a limb with noise, many identities."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    bar = np.exp(-(((x - COLUMNS / 2 - 90 * np.sin(y / 400)) / 300.0) ** 2))
    rng = np.random.default_rng(0)
    pictures = [
        (np.clip(0.1 + 0.7 * bar + rng.normal(0, 0.004, bar.shape), 0, 1) * 65535).astype(np.uint16)
        for _ in range(4)
    ]
    folder.mkdir()
    for number in range(count):
        identity = Identity("BENCH^MARK", f"P{number}", f"S{number}", f"I{number}")
        write_dx(folder / f"{number:05}.dcm", pictures[number % 4], identity, spacing_mm=0.15)


def plain_loop(source: Path, out: Path) -> None:
    """What one would write in ten lines: first window, 8 bits lost to nobody, no checks, no identities."""
    out.mkdir()
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        values = dataset.pixel_array.astype(np.float64)
        centre, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
        levels = np.clip((values - centre + 0.5) / (width - 1) + 0.5, 0, 1)
        Image.fromarray((levels * 65535).astype(np.uint16)).save(out / f"{path.stem}.png")


def measured(name: str, count: int, function: object, *arguments: object) -> None:
    """Run in a process of its own, whose children's memory is then the workers'."""
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe()
    process = context.Process(target=_run, args=(theirs, function, *arguments))
    process.start()
    seconds, first, own, workers = ours.recv()
    process.join()
    print(
        f"{name:38} {count / seconds:6.2f} images/s   first after {first:4.1f} s   "
        f"main {own:5.0f} MB   largest worker {workers:5.0f} MB",
        flush=True,
    )


def _run(pipe: object, function: object, *arguments: object) -> None:
    began = time.monotonic()
    first = function(*arguments)
    seconds = time.monotonic() - began
    # The peak of getrusage includes that of the process which started this one; VmHWM does not.
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0]) / 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    pipe.send((seconds, (first - began) if first else 0.0, own, children))


def _convert(source: Path, out: Path, workers: int) -> float:
    """Convert, and give the time at which the first file was done."""
    first = 0.0

    def watch(progress: Progress) -> None:
        nonlocal first
        first = first or time.monotonic()

    convert(Settings(source), out, workers=workers, watch=watch)
    return first


def _convert_and_prepare(source: Path, raw: Path, out: Path, workers: int, recipe: Recipe) -> float:
    """Both commands, one after the other; the limb lies askew, so that every image is resampled."""
    convert(Settings(source), raw, workers=workers)
    table = pl.read_parquet(raw / "images.parquet")
    table.with_columns(body_part=pl.lit("WRIST")).write_parquet(raw / "images.parquet")
    prepare(raw, recipe, out, workers=workers)
    return 0.0


def main() -> int:
    """Print one line per way of converting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--small", type=int, default=0, help="also start on this many small files, and stop")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        if arguments.small:
            small_files(root / "small", root / "small-out", arguments.small)
        make_files(root / "in", arguments.count)
        print(f"{arguments.count} files of {ROWS} x {COLUMNS}, 16 bits, uncompressed")
        measured("pydicom and Pillow, plain", arguments.count, plain_loop, root / "in", root / "plain")
        for workers in (1, 2):
            out = root / f"out{workers}"
            measured(f"convert, {workers} workers", arguments.count, _convert, root / "in", out, workers)
        for workers in (1, 2):
            for size in (None, 1024):
                out = root / f"prepared{workers}-{size}"
                name = f"convert and prepare, {workers} w., {size or 'full size'}"
                steps = (*STEPS, *(("pad", "resize") if size else ()))
                settings = (
                    root / "in",
                    root / f"raw{workers}-{size}",
                    out,
                    workers,
                    Recipe(steps, size=size),
                )
                measured(name, arguments.count, _convert_and_prepare, *settings)
                shutil.rmtree(out)
    finally:
        shutil.rmtree(root)
    return 0


class Started(Exception):
    """The first file is done; the rest is of no interest."""


def small_files(folder: Path, out: Path, count: int) -> None:
    """Print after how many seconds the first of very many files in one folder is done."""
    folder.mkdir()
    write_dx(folder / "a.dcm", np.arange(64, dtype=np.uint16).reshape(8, 8), Identity("A^B", "P", "S", "I"))
    content = (folder / "a.dcm").read_bytes()
    for number in range(count):
        (folder / f"{number:06}").write_bytes(content)
    began = time.monotonic()

    def watch(progress: Progress) -> None:
        raise Started

    try:
        convert(Settings(folder), out, workers=2, watch=watch)
    except Started:
        print(f"{count} small files: the first is done after {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
