"""LSE pooling and class activation maps with loops, in the words of the papers."""

from decimal import Decimal, getcontext

getcontext().prec = 60


def lse(values, sharpness):
    """(1 / r) log((1 / |S|) sum exp(r p)), paper 003, Eq. 1, with sixty digits."""
    r = Decimal(str(sharpness))
    total = sum((r * Decimal(repr(v))).exp() for v in values)
    return float((total / len(values)).ln() / r)


def cam(features, weights, bias):
    """w f + b of every cell: features[c][i][j] and weights[c] as nested lists."""
    rows, columns = len(features[0]), len(features[0][0])
    return [
        [sum(w * f[i][j] for w, f in zip(weights, features, strict=True)) + bias for j in range(columns)]
        for i in range(rows)
    ]
