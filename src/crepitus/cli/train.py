"""`crepitus train`: train a method on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crepitus.cli.common import JsonOption, needs_extra, print_json, say
from crepitus.errors import UsageError


def train(
    method: Annotated[str, typer.Argument(help="Name of a method, see 'crepitus methods'.")],
    data: Annotated[Path, typer.Option(help="Data set folder.")],
    out: Annotated[Path, typer.Option(help="Run folder to make, or with --resume to go on with.")],
    config: Annotated[Path | None, typer.Option(help="TOML file; without it, the paper's values.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the configuration; repeatable."),
    ] = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help="Test on this fold; without it, the column 'split' decides.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished epoch.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train METHOD and leave a run folder: configuration, environment, metrics, weights."""
    from crepitus.data import DataSet
    from crepitus.data.splits import roles
    from crepitus.methods.config_file import load_config
    from crepitus.methods.registry import method_info

    info = method_info(method)
    method_class = info.load()
    with needs_extra("train", "crepitus train"):
        from crepitus.train.records import RunFolder, is_first_process
        from crepitus.train.run import start_run
        from crepitus.train.run import train as run_training

    data_set = DataSet.read(data)
    if resume:
        if config is not None or settings or fold is not None:
            raise UsageError("--resume takes everything from the run: leave --config, --set and --fold out")
        run = RunFolder(out)
        record = run.read()
        if record["method"] != method:
            raise UsageError(f"--resume: expected a run of {method}, {out} is one of {record['method']}")
        if record["state"] == "finished":
            say(f"{out}: training is finished, nothing to do")
            if as_json:
                print_json(run.read_model())
            return
    else:
        values = load_config(method_class.config_class, config, settings or ())
        run = RunFolder(out)
        if is_first_process():
            chosen = roles(data_set.images, data_set.truth, fold=fold, seed=values.training.seed)
            run = start_run(method, data_set, out, values, chosen, fold=fold)
        run.wait()
    model = run_training(run, data_set, say)
    if not is_first_process():
        return
    say(f"model in {run.root}")
    if as_json:
        print_json(model)
