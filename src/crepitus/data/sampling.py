"""The order in which an epoch visits its images, from a seed and the epoch's number alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def epoch_order(
    positive: NDArray[np.bool_], *, seed: int, epoch: int, positive_fraction: float | None = None
) -> NDArray[np.int64]:
    """Indices of one epoch, shuffled.

    Args:
        positive: shape (n,), which images are positive.
        seed: of the run.
        epoch: number of the epoch; with `seed` it decides everything, so that a resumed run repeats it.
        positive_fraction: None visits every image once; a fraction f in (0, 1) visits every positive once
            and draws (1 - f) / f negatives per positive without replacement, other ones each epoch.

    Returns:
        Shape (m,), int64.
    """
    generator = np.random.default_rng([seed, epoch, 0])
    indices = np.arange(len(positive))
    positives, negatives = indices[positive], indices[~positive]
    if positive_fraction is not None and len(positives) and len(negatives):
        wanted = round(len(positives) * (1 - positive_fraction) / positive_fraction)
        chosen = generator.permutation(negatives)[: min(max(1, wanted), len(negatives))]
        indices = np.concatenate([positives, chosen])
    return generator.permutation(indices)
