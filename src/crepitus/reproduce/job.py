"""One row of a table on one fold: trained or gone on with, then applied to the images of the fold."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crepitus.data.splits import roles
from crepitus.data.writer import write_text
from crepitus.errors import SetAside
from crepitus.predict import Predictions, PredictionsWriter
from crepitus.predict.inputs import by_study, from_data_set
from crepitus.predict.model import Model
from crepitus.predict.run import predict_stream
from crepitus.predict.studies import add_studies
from crepitus.reproduce.settings import claim_folder
from crepitus.reproduce.table import Row
from crepitus.train.records import RunFolder
from crepitus.train.run import start_run, train

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.methods.base import MethodConfig

BATCH = 8
"""Images that are predicted at a time."""


@dataclass(frozen=True)
class Job:
    """A trained row on one fold.

    Attributes:
        row: of the table.
        fold: that is tested.
        config: of the method, ready to run.
        decided: what decides the result, as the folder keeps it; see `plan.decided`.
        data: the images that enter this row.
        folder: of this row and fold.
    """

    row: Row
    fold: int
    config: MethodConfig
    decided: Mapping[str, Any]
    data: DataSet
    folder: Path

    @property
    def run(self) -> RunFolder:
        """Where it is trained."""
        return RunFolder(self.folder / "run")

    @property
    def predictions(self) -> Path:
        """Where its predictions are."""
        return self.folder / "predictions"

    @property
    def times(self) -> Path:
        """How long training and prediction took; of a row that was resumed, the last part only."""
        return self.folder / "time.json"

    @property
    def finished(self) -> bool:
        """Whether the predictions are whole; their last file says so."""
        return (self.predictions / "predictions.json").is_file()


def do_job(job: Job, say: Callable[[str], None]) -> Predictions:
    """Train, predict, or only read what was done before.

    Raises:
        UsageError: the folder was made with other settings.
        CrepitusError: training or prediction cannot go on.
    """
    claim_folder(job.folder, job.decided, str(job.folder))
    if not job.finished:
        began = time.monotonic(), time.process_time()
        resumed = (job.run.root / "run.json").is_file()
        _train(job, say)
        _predict(job, say)
        spent = time.monotonic() - began[0], time.process_time() - began[1]
        taken = {"seconds": round(spent[0], 1), "cpu_seconds": round(spent[1], 1), "resumed": resumed}
        write_text(job.times, json.dumps(taken) + "\n")
    return Predictions.read(job.predictions)


def _train(job: Job, say: Callable[[str], None]) -> None:
    run = job.run
    if not (run.root / "run.json").is_file():
        # Killed before the run began: nothing in it is worth keeping, and a run wants an empty folder.
        shutil.rmtree(run.root, ignore_errors=True)
        chosen = roles(job.data.images, job.data.truth, fold=job.fold, seed=job.config.training.seed)
        start_run(job.row.method, job.data, run.root, job.config, chosen, fold=job.fold)
    if run.read()["state"] != "finished":
        train(run, job.data, say)


def _predict(job: Job, say: Callable[[str], None]) -> None:
    shutil.rmtree(job.predictions, ignore_errors=True)  # of a process that was killed
    part = job.run.read_split()
    tested = [i for i in job.data.images["image_id"] if part.get(i) == "test"]
    model = Model.load(job.run.root)
    if model.answers_studies:
        tested = by_study(job.data, tested)
    with PredictionsWriter(job.predictions, model.predictions_info(), boxes=model.finds_boxes) as writer:
        for image, answer in predict_stream(model, from_data_set(job.data, tested), batch_size=BATCH):
            if isinstance(answer, SetAside):
                writer.set_aside(str(image), answer)
            else:
                writer.add(answer)
        if model.answers_studies and len(writer):
            add_studies(writer, job.data)
    if writer.rejected:
        say(f"{len(writer.rejected)} images were set aside; see {job.predictions / 'rejected.csv'}")
