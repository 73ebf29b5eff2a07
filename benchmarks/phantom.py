"""Speed and memory of the phantom: images per second with one and two processes.

    python benchmarks/phantom.py --scene pelvis --out build/phantom.json

Two processes are a ratio to one within this run; the processor time per image does not depend on what else
the machine does.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from crepitus.phantom.generate import Request, make_images
from crepitus.phantom.scenes import SCENES
from record import write_result


def seconds(request: Request, count: int, workers: int) -> tuple[float, float]:
    """Wall time and processor time, of this process and its children, for the images after the first."""
    images = make_images(request, count + 1, workers)
    # The first image compiles the kernels.
    next(images)
    start, used = time.perf_counter(), _processor_time()
    for _ in images:
        pass
    return time.perf_counter() - start, _processor_time() - used


def _processor_time() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def main() -> None:
    """Measure every scene asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=sorted(SCENES), action="append")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    figures: dict[str, object] = {"size": options.size, "images": options.count}
    for scene in options.scene or sorted(SCENES):
        request = Request(scene, options.seed, options.size)
        one, processor = seconds(request, options.count, 1)
        two, _ = seconds(request, options.count, 2)
        peaks = [resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        figures[scene] = {
            "images_per_second_one_process": options.count / one,
            "images_per_processor_second": options.count / processor,
            "two_processes_over_one": one / two,
            "peak_memory_mb": max(peaks) / 1024,
        }
    write_result(figures, seed=options.seed, out=options.out)


if __name__ == "__main__":
    main()
