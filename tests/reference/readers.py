"""Jackknife and mean covariances of a reader study, straight from their definitions; slow and obvious."""

from itertools import product

from reference.delong import wins


def auroc(ratings, truth):
    pairs = [
        wins(a, b)
        for a, t in zip(ratings, truth, strict=True)
        if t
        for b, s in zip(ratings, truth, strict=True)
        if not s
    ]
    return sum(pairs) / len(pairs)


def jackknife(rows, truth, statistic=auroc):
    """Covariance of the statistic of each row of ratings: every case left out once and all computed again."""
    n = len(truth)
    without = [
        [statistic(row[:k] + row[k + 1 :], truth[:k] + truth[k + 1 :]) for row in rows] for k in range(n)
    ]
    means = [sum(column) / n for column in zip(*without, strict=True)]
    return [
        [(n - 1) / n * sum((w[a] - means[a]) * (w[b] - means[b]) for w in without) for b in range(len(rows))]
        for a in range(len(rows))
    ]


def averages(covariance, t, r):
    """Variance, cov1, cov2 and cov3 as means over pairs of rows that are not the same."""
    kinds = {"variance": [], "cov1": [], "cov2": [], "cov3": []}
    for (i, j), (k, m) in product(product(range(t), range(r)), repeat=2):
        name = {
            (True, True): "variance",
            (False, True): "cov1",
            (True, False): "cov2",
            (False, False): "cov3",
        }[(i == k, j == m)]
        kinds[name].append(covariance[i * r + j][k * r + m])
    return {name: sum(v) / len(v) for name, v in kinds.items()}
