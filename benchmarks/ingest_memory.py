"""Memory of `convert` over many files: of the main process and of the largest worker, as time goes on."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from crepitus.data.convert_records import Progress
from crepitus.data.converting import Settings, convert
from crepitus.dicom.write import Identity, write_dx
from record import write_result


def make_files(folder: Path, count: int, rows: int, columns: int) -> None:
    """Uncompressed radiographs of 16 bits with many identities, eight different pictures by turns."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 4096, (rows, columns), dtype=np.uint16) for _ in range(8)]
    folder.mkdir()
    for number in range(count):
        identity = Identity("A^B", f"P{number // 2}", f"S{number}", f"I{number}")
        write_dx(folder / f"{number:05}.dcm", pictures[number % 8], identity, spacing_mm=0.15)


def resident_mb(status: Path) -> float:
    """Resident memory that a process has now, MB; 0 where it has ended."""
    try:
        fields = status.read_text().split("VmRSS:")
    except OSError:
        return 0.0
    return int(fields[1].split()[0]) / 1024 if len(fields) > 1 else 0.0


def of_children() -> float:
    """Resident memory of the largest child of this process, MB."""
    children = Path("/proc/self/task").glob("*/children")
    names = [name for path in children for name in path.read_text().split()]
    return max((resident_mb(Path("/proc") / name / "status") for name in names), default=0.0)


def main() -> int:
    """Print memory after every so many files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    rows: list[dict[str, float]] = []

    def watch(progress: Progress) -> None:
        if progress.files >= (len(rows) + 1) * arguments.every:
            own = round(resident_mb(Path("/proc/self/status")), 1)
            rows.append({"files": progress.files, "main": own, "largest worker": round(of_children(), 1)})

    try:
        make_files(root / "in", arguments.count, arguments.rows, arguments.columns)
        convert(Settings(root / "in"), root / "out", workers=arguments.workers, watch=watch)
    finally:
        shutil.rmtree(root)
    size = {key: getattr(arguments, key) for key in ("count", "rows", "columns", "workers")}
    write_result({**size, "resident MB": rows}, seed=0, out=arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
