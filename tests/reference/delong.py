"""AUROCs and their covariance straight from the pairs of cases; slow and obvious."""


def wins(positive, negative):
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def areas(rows, truth):
    """AUROC of each row of scores, and the covariance as nested lists (DeLong et al. 1988, equation 6)."""
    positive = [k for k, t in enumerate(truth) if t]
    negative = [k for k, t in enumerate(truth) if not t]
    m, n = len(positive), len(negative)
    of_positive = [[sum(wins(r[i], r[j]) for j in negative) / n for i in positive] for r in rows]
    of_negative = [[sum(wins(r[i], r[j]) for i in positive) / m for j in negative] for r in rows]
    auroc = [sum(v) / m for v in of_positive]

    def covariance(a, b, mean_a, mean_b):
        return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)

    return auroc, [
        [
            covariance(of_positive[a], of_positive[b], auroc[a], auroc[b]) / m
            + covariance(of_negative[a], of_negative[b], auroc[a], auroc[b]) / n
            for b in range(len(rows))
        ]
        for a in range(len(rows))
    ]
