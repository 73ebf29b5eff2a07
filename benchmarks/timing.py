"""How long an action takes, measured the same way in every benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable


def best_of(
    action: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Shortest time of an action after one run to warm up, seconds.

    Args:
        action: what is measured.
        repeats: how often.
        clock: of the wall; `time.process_time` counts the processor, where other work runs beside.
    """
    action()
    times = []
    for _ in range(repeats):
        start = clock()
        action()
        times.append(clock() - start)
    return min(times)
