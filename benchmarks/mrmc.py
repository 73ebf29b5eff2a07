"""Sets the reader analysis of a table of ratings beside the figures printed for the Van Dyke data.

    python benchmarks/mrmc.py vandyke.csv

The file has the columns reader, treatment, image_id, truth and rating. The ratings are those of Van Dyke et
al. (1993), which the R packages RJafroc (dataset02) and MRMCaov (VanDyke) hold; they are no part of this
project.
The printed figures are those of OR-DBM MRMC 2.51, University of Iowa (trapezoidal area, jackknife).
"""

from __future__ import annotations

import sys
from pathlib import Path

from crepitus.evaluate.readers.answers import read_answers
from crepitus.evaluate.readers.study import analyse, plan

PRINTED = {
    "variance": "0.00080229",
    "cov1": "0.00034661",
    "cov2": "0.00034407",
    "cov3": "0.00023903",
    "var_reader": "0.00153500",
    "var_interaction": "0.00020040",
    "ms_treatment": "0.00479617",
    "ms_interaction": "0.00055103",
}
GLOBAL = {
    "random": ("4.46", "0.0517"),
    "fixed_readers": ("5.48", "0.0193"),
    "fixed_cases": ("8.70", "0.0420"),
}
CASES_NEEDED = 251
"""Of RJafroc, for 6 readers, power 0.8 and the observed difference."""


def main() -> None:
    """Analyse, compare digit by digit, and end with status 1 if one differs."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    study = analyse(read_answers(Path(sys.argv[1])))
    rows = [(name, f"{getattr(study.components, name):.8f}", printed) for name, printed in PRINTED.items()]
    for name, (statistic, p) in GLOBAL.items():
        test = study.equal[name]
        rows += [
            (f"{name} statistic", f"{test.statistic:.2f}", statistic),
            (f"{name} p", f"{test.p_value:.4f}", p),
        ]
    effect = abs(study.differences["random"][0, 1].value)
    needed = plan(study, effect=effect, readers=6).cases["random"]
    rows.append(("cases needed", str(needed), str(CASES_NEEDED)))
    for name, ours, printed in rows:
        print(f"{name:<24}{ours:>12}{printed:>12}  {'' if ours == printed else 'differs'}".rstrip())
    sys.exit(any(ours != printed for _, ours, printed in rows))


if __name__ == "__main__":
    main()
