"""What an Obuchowski-Rockette analysis rests on: figures of readers, mean squares and error covariances.

N. A. Obuchowski and H. E. Rockette, Communications in Statistics - Simulation and Computation 24 (1995),
285-308; with the estimates of S. L. Hillis et al., Statistics in Medicine 24 (2005), 1579-1607.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """Figures of a factorial study with the covariances of their errors.

    Attributes:
        figures: (t, r), one for each treatment and reader.
        variance: mean variance of the error of a figure.
        cov1: mean covariance of the same reader with different treatments; NaN with one treatment.
        cov2: of different readers with the same treatment; NaN with one reader.
        cov3: of different readers with different treatments; NaN with one of either.
        by_treatment: (t, 2), variance and cov2 of each treatment alone.
        by_reader: (r, 2), variance and cov1 of each reader alone.
    """

    figures: NDArray[np.float64]
    variance: float
    cov1: float
    cov2: float
    cov3: float
    by_treatment: NDArray[np.float64]
    by_reader: NDArray[np.float64]

    @classmethod
    def of(cls, figures: NDArray[np.float64], covariance: NDArray[np.float64]) -> Components:
        """Average a covariance (t * r, t * r), rows ordered by treatment and then by reader."""
        t, r = figures.shape
        c = covariance.reshape(t, r, t, r)
        same_reader = np.einsum("ijkj->jik", c)
        same_treatment = np.einsum("ijik->ijk", c)
        variances = np.einsum("ijij->ij", c)
        other = ~np.eye(t, dtype=np.bool_)[:, None, :, None] & ~np.eye(r, dtype=np.bool_)[None, :, None, :]
        return cls(
            figures=figures,
            variance=float(variances.mean()),
            cov1=_mean(same_reader, np.broadcast_to(~np.eye(t, dtype=np.bool_), same_reader.shape)),
            cov2=_mean(same_treatment, np.broadcast_to(~np.eye(r, dtype=np.bool_), same_treatment.shape)),
            cov3=_mean(c, other),
            by_treatment=np.stack(
                [
                    variances.mean(axis=1),
                    [_mean(part, ~np.eye(r, dtype=np.bool_)) for part in same_treatment],
                ],
                axis=1,
            ),
            by_reader=np.stack(
                [variances.mean(axis=0), [_mean(part, ~np.eye(t, dtype=np.bool_)) for part in same_reader]],
                axis=1,
            ),
        )

    @property
    def ms_treatment(self) -> float:
        """Mean square of the treatments; NaN with one."""
        t, r = self.figures.shape
        deviation = self.figures.mean(axis=1) - self.figures.mean()
        return float(r * (deviation**2).sum() / (t - 1)) if t > 1 else float("nan")

    @property
    def ms_reader(self) -> float:
        """Mean square of the readers; NaN with one."""
        t, r = self.figures.shape
        deviation = self.figures.mean(axis=0) - self.figures.mean()
        return float(t * (deviation**2).sum() / (r - 1)) if r > 1 else float("nan")

    @property
    def ms_interaction(self) -> float:
        """Mean square of treatment by reader; NaN with one of either."""
        t, r = self.figures.shape
        if t < 2 or r < 2:
            return float("nan")
        rows, columns = self.figures.mean(axis=1), self.figures.mean(axis=0)
        deviation = self.figures - rows[:, None] - columns + self.figures.mean()
        return float((deviation**2).sum() / ((t - 1) * (r - 1)))

    def ms_reader_of(self, treatment: int) -> float:
        """Mean square of the readers with one treatment; NaN with one reader."""
        row = self.figures[treatment]
        return float(row.var(ddof=1)) if len(row) > 1 else float("nan")

    @property
    def var_reader(self) -> float:
        """ANOVA estimate of the variance of readers; may be negative."""
        t = len(self.figures)
        return (self.ms_reader - self.ms_interaction) / t - self.cov1 + self.cov3

    @property
    def var_interaction(self) -> float:
        """ANOVA estimate of the variance of treatment by reader; may be negative."""
        return self.ms_interaction - self.variance + self.cov1 + max(self.cov2 - self.cov3, 0.0)


def _mean(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    kept = values[chosen]
    return float(kept.mean()) if len(kept) else float("nan")
