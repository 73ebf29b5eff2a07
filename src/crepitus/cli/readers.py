"""`crepitus readers`: the table of a reader study, and what it says about other readers and cases."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import JsonOption, print_json, say


class Covariance(StrEnum):
    """How the covariance of the readers' errors is estimated."""

    jackknife = "jackknife"
    delong = "delong"
    bootstrap = "bootstrap"


def readers(
    answers: Annotated[
        Path,
        typer.Argument(
            help="CSV of reader, image_id, answer or rating, and if wanted treatment, group, truth.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data set whose labels are the truth, if the table has none."),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(help="Figure to analyse, a name of the table. Default: auroc, or accuracy of options."),
    ] = None,
    covariance: Annotated[
        Covariance, typer.Option(help="How the covariance of the readers' errors is estimated.")
    ] = Covariance.jackknife,
    against: Annotated[
        float | None,
        typer.Option(help="Fixed figure, of a model for example, to test each treatment against."),
    ] = None,
    negative: Annotated[
        str | None, typer.Option(help="The option that means no finding. Default: none, 0, normal.")
    ] = None,
    effect: Annotated[
        float | None, typer.Option(help="Plan a further study that shall find this difference of treatments.")
    ] = None,
    plan_readers: Annotated[
        int | None, typer.Option(min=2, help="Readers of the planned study. Default: as many as here.")
    ] = None,
    power: Annotated[float, typer.Option(help="Power of the planned study.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for readers.csv and readers.json.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Analyse a reader study: figures per reader, group and average, and tests by Obuchowski and Rockette.

    Every reader must have judged every case, with every treatment (for example with and without AI).
    """
    import numpy as np

    from crepitus.cli.readers_output import study_json, study_text, write_study
    from crepitus.evaluate.readers.answers import read_answers
    from crepitus.evaluate.readers.study import analyse, plan

    study = analyse(
        read_answers(answers, _labels(data)),
        figure=figure,
        method=covariance.value,
        against=against,
        negative=negative,
        rng=np.random.default_rng(seed),
    )
    if effect is not None:
        count = plan_readers or len(study.answers.readers)
        study = replace(study, plan=plan(study, effect=effect, readers=count, wanted=power))
    if out is not None:
        write_study(study, out, against)
        say(f"Written: {out / 'readers.csv'}, {out / 'readers.json'}")
    if as_json:
        print_json(study_json(study, against))
    else:
        sys.stdout.write(study_text(study, against))


def _labels(data: Path | None) -> dict[str, str] | None:
    from crepitus.data import DataSet

    if data is None:
        return None
    return {image_id: str(t) for image_id, t in DataSet.read(data).truth.items() if t is not None}
