"""Relevance propagation through one linear layer, output by output and input by input."""

import numpy as np


def contributions(x, weight, bias, rule, gamma=0.25, low=None, high=None):
    """What input i adds to output j, (i + 1, j) with the bias as the last input, as the rule counts it."""
    count = len(x)
    table = np.zeros((count + 1, weight.shape[0]))
    for j in range(weight.shape[0]):
        given = [x[i] * weight[j, i] for i in range(count)] + [bias[j]]
        output = sum(given)
        for i, part in enumerate(given):
            if rule == "epsilon":
                table[i, j] = part
            elif rule == "sign":
                table[i, j] = part if part * output > 0 else 0.0
            elif rule == "gamma":
                table[i, j] = part * (1 + gamma) if part * output > 0 else part
            elif rule == "box" and i < count:
                w = weight[j, i]
                table[i, j] = x[i] * w - low * max(w, 0) - high * min(w, 0)
    return table


def shared_out(x, weight, bias, relevance, rule, **options):
    """Relevance of the inputs, and of the bias, from that of the outputs."""
    table = contributions(x, weight, bias, rule, **options)
    result = np.zeros(len(x) + 1)
    for j, own in enumerate(relevance):
        total = table[:, j].sum()
        if total != 0:
            result += table[:, j] / total * own
    return result[:-1], result[-1]
