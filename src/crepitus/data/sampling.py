"""The order in which an epoch visits its images, from a seed and the epoch's number alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["all", "opposite-counts", "class-balanced"]
"""What an epoch consists of, see `epoch_order`."""


def epoch_order(
    positive: NDArray[np.bool_],
    *,
    seed: int,
    epoch: int,
    positive_fraction: float | None = None,
    sampling: Sampling = "all",
    classes: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Indices of one epoch, shuffled.

    Args:
        positive: shape (n,), which images are positive.
        seed: of the run.
        epoch: number of the epoch; with `seed` it decides everything, so that a resumed run repeats it.
        positive_fraction: None visits every image once; a fraction f in (0, 1) visits every positive once
            and draws (1 - f) / f negatives per positive without replacement, other ones each epoch.
        sampling: "all" as above. "opposite-counts" draws 2 n images without replacement, n the count of the
            rarer of positives and negatives, each image with a probability proportional to the count of the
            other kind (thesis 004, Eq. 4.3). "class-balanced" visits every image, and those of rarer classes
            again until each class is as frequent as the most frequent one.
        classes: shape (n,), for "class-balanced"; negative numbers are no class and visited once. Without
            it, positives and negatives are the classes.

    Returns:
        Shape (m,), int64.
    """
    generator = np.random.default_rng([seed, epoch, 0])
    indices = np.arange(len(positive))
    positives, negatives = indices[positive], indices[~positive]
    if sampling == "class-balanced":
        indices = _balanced(positive.astype(np.int64) if classes is None else classes, generator)
    elif len(positives) and len(negatives):
        if sampling == "opposite-counts":
            weights = np.where(positive, len(negatives), len(positives)).astype(np.float64)
            count = 2 * min(len(positives), len(negatives))
            return np.asarray(
                generator.choice(len(positive), count, replace=False, p=weights / weights.sum()), np.int64
            )
        if positive_fraction is not None:
            wanted = round(len(positives) * (1 - positive_fraction) / positive_fraction)
            chosen = generator.permutation(negatives)[: min(max(1, wanted), len(negatives))]
            indices = np.concatenate([positives, chosen])
    return generator.permutation(indices)


def _balanced(classes: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Every index once, and those of rarer classes again, as evenly as whole numbers allow."""
    members = [np.flatnonzero(classes == name) for name in np.unique(classes[classes >= 0])]
    largest = max((len(m) for m in members), default=0)
    order = [np.flatnonzero(classes < 0)]
    for own in members:
        whole, rest = divmod(largest, len(own))
        order += [own] * whole + [generator.permutation(own)[:rest]]
    return np.concatenate(order)
