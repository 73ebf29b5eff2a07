"""The table of a reader study as in paper 003: accuracy, and each finding's sensitivity and specificity.

One row per reader, per group of readers (the mean over its readers) and over all (the mean over all readers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crepitus.evaluate.readers.answers import Answers
from crepitus.evaluate.readers.figures import Auroc, Figure, Share

AVERAGE = "average"


@dataclass(frozen=True)
class Row:
    """One line of the table; figures are NaN where undefined.

    Attributes:
        kind: "reader", "group" or "average".
        name: of the reader or the group.
        treatment: with which the cases were read.
        readers: how many readers the line averages.
        figures: by name.
    """

    kind: str
    name: str
    treatment: str
    readers: int
    figures: dict[str, float]


def figures_of(answers: Answers, negative: str | None = None) -> dict[str, Figure]:
    """Every figure of a study by its name; rows ordered by treatment and then by reader.

    A study of ratings has `auroc`. One of options has `accuracy`, the share of cases whose option is right,
    and for each option but `negative` `sensitivity.<option>`, the share of its cases for which it was chosen,
    and `specificity.<option>`, the share of all other cases for which it was not. With a single finding
    these two are called `sensitivity` and `specificity`.

    Raises:
        ReadersError: which option is the negative one cannot be told.
    """
    n = len(answers.cases)
    if answers.ratings is not None:
        return {"auroc": Auroc(answers.ratings.reshape(-1, n), (answers.truth == "1").astype(np.int64))}
    if answers.options is None:
        return {}
    chosen = answers.options.reshape(-1, n)
    none = answers.negative_option(negative)
    found: dict[str, Figure] = {"accuracy": Share(chosen == answers.truth, np.ones(n, dtype=np.bool_))}
    findings = sorted((set(answers.truth.tolist()) | set(chosen.ravel().tolist())) - {none})
    for option in findings:
        ending = "" if len(findings) == 1 else f".{option}"
        true = answers.truth == option
        found[f"sensitivity{ending}"] = Share(chosen == option, true)
        found[f"specificity{ending}"] = Share(chosen != option, ~true)
    return found


def reader_table(answers: Answers, negative: str | None = None) -> list[Row]:
    """All lines: readers, then groups (where there are any), then the average; each for every treatment."""
    everyone = np.arange(len(answers.cases))
    shape = (len(answers.treatments), len(answers.readers))
    values = {k: f.of_cases(everyone).reshape(shape) for k, f in figures_of(answers, negative).items()}
    lines: list[tuple[str, str, list[int]]] = [("reader", r, [k]) for k, r in enumerate(answers.readers)]
    for group in dict.fromkeys(g for g in answers.groups if g):
        lines.append(("group", group, [k for k, g in enumerate(answers.groups) if g == group]))
    lines.append(("average", AVERAGE, list(range(len(answers.readers)))))
    return [
        Row(kind, name, treatment, len(of), {k: float(v[row, of].mean()) for k, v in values.items()})
        for kind, name, of in lines
        for row, treatment in enumerate(answers.treatments)
    ]
