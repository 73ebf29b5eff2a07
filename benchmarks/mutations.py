"""Convert many damaged files and count what became of them; `--count 10000` is the figure of the docs."""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from crepitus.data.convert_records import Progress
from crepitus.data.converting import Settings, convert

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "dicom"))

from mutations import mutation, whole_files


def main() -> int:
    """Run the conversion; 0 if every file has an image or a row and no worker took 2 GB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files and the result; default: removed")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp())
    source = root / "in"
    source.mkdir(parents=True)
    wholes = whole_files(root)
    began = time.monotonic()
    for number in range(arguments.count):
        syntax, kind, content = mutation(wholes, arguments.seed, number)
        folder = source / f"{number // 1000:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:06}-{syntax}-{kind}").write_bytes(content)
    print(f"{arguments.count} files made in {time.monotonic() - began:.0f} s")
    began, shown = time.monotonic(), 0

    def watch(progress: Progress) -> None:
        nonlocal shown
        if progress.files >= shown + 1000:
            shown = progress.files
            print(f"{shown} files, {progress.rejected} set aside", flush=True)

    outcome = convert(Settings(source), root / "out", workers=arguments.workers, watch=watch)
    seconds = time.monotonic() - began
    with (root / "out" / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    codes = Counter(row["code"] for row in rows)
    died = [
        row for row in rows if "process that decoded" in row["message"] or "took more than" in row["message"]
    ]
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{outcome.images} images, {len(rows)} rows: {dict(codes.most_common())}")
    replaced = outcome.progress.workers_replaced
    print(f"{replaced} workers replaced; {seconds:.0f} s; largest worker {largest:.0f} MB")
    for row in died[:20]:
        print(f"  {row['file']}: {row['message']}")
    unexpected = [row for row in rows if row["message"].startswith("unexpected")]
    for row in unexpected[:20]:
        print(f"  {row['file']}: {row['message']}")
    if arguments.keep is None:
        shutil.rmtree(root)
    complete = outcome.images + len(rows) == arguments.count == outcome.progress.files
    return 0 if complete and largest < 2048 else 1


if __name__ == "__main__":
    sys.exit(main())
