"""Whether the label can be guessed from what is no anatomy: size, file, borders, markers, metadata.

A classifier sees only such features. If it tells fractured from normal images on patients that it was not
trained on, so can a network, and figures on this data set say less than they seem to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from crepitus.data import DataSet
from crepitus.data.looks import BORDER, FILE, MARKER, PICTURE
from crepitus.evaluate.delong import delong

FOLDS = 5
MIN_GROUPS = 20
"""Groups of images of each label below which nothing is guessed."""

METADATA = ("body_part", "view", "laterality", "spacing_mm", "hardware")

MEANINGS: Mapping[str, str] = {
    "resolution": "rows and columns",
    "file": "format, colour mode, bits, compression, dots per inch",
    "border": "brightness, spread and padding along the sides, corners",
    "marker": "saturated spots near the sides, as of burnt-in letters",
    "metadata": "body part, view, laterality, spacing, hardware",
    "thumbnail": "the whole picture at 12 x 12; shows the body part too, so some of it is honest",
}


@dataclass(frozen=True)
class Probe:
    """How well one kind of features predicts the label.

    Attributes:
        name: a key of `MEANINGS`.
        auroc: of cross-validated guesses; None without enough images of each label.
        ci95: its interval by DeLong; None likewise.
    """

    name: str
    auroc: float | None
    ci95: tuple[float, float] | None

    @property
    def predicts(self) -> bool:
        """Whether the interval lies above 0.5: the label can be guessed better than by chance."""
        return self.ci95 is not None and self.ci95[0] > 0.5


def probe(
    data: DataSet, looks: Mapping[str, NDArray[np.float32]], groups: Sequence[Sequence[str]], seed: int = 0
) -> list[Probe]:
    """Probe every kind of features, on the images that have a label and could be read.

    Args:
        data: the data set.
        looks: features of `data.looks.look` by image_id.
        groups: images that are the same picture; they and the images of a patient stay in one fold.
        seed: of the folds.
    """
    truth = data.truth
    ids = [i for i in data.images["image_id"] if truth[i] is not None and i in looks]
    labels = np.array([truth[i] for i in ids], dtype=np.int64)
    group = _groups(data, ids, groups)
    table = data.images.join(pl.DataFrame({"image_id": ids}, schema={"image_id": pl.String}), on="image_id")
    look = np.stack([looks[i] for i in table["image_id"]]) if ids else np.zeros((0, PICTURE.stop), np.float32)
    size = table.select("rows", "columns").to_numpy().astype(np.float64)
    features = {
        "resolution": np.column_stack([size, size.prod(axis=1), size[:, 1] / size[:, 0]]),
        "file": look[:, FILE],
        "border": look[:, BORDER],
        "marker": look[:, MARKER],
        "metadata": _metadata(table),
        "thumbnail": look[:, PICTURE],
    }
    # The trees are small: several threads would mostly wait for each other, and long on a busy machine.
    with threadpool_limits(1):
        return [_probe(name, features[name].astype(np.float64), labels, group, seed) for name in MEANINGS]


def _probe(
    name: str, x: NDArray[np.float64], y: NDArray[np.int64], group: NDArray[np.int64], seed: int
) -> Probe:
    if min(len(np.unique(group[y == value])) for value in (0, 1)) < MIN_GROUPS:
        return Probe(name, None, None)
    guesses = np.full(len(y), 0.5)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(x, y, group):
        # A feature that is the same for all, or known for none, tells nothing; without any, 0.5 is the guess.
        known = [k for k in range(x.shape[1]) if len(np.unique(x[train, k][~np.isnan(x[train, k])])) > 1]
        if not known:
            continue
        model = HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=8, min_samples_leaf=20, early_stopping=False, random_state=seed
        )
        fitted = model.fit(x[train][:, known], y[train])
        guesses[test] = fitted.predict_proba(x[test][:, known])[:, 1]
    areas = delong(guesses[None], y)
    return Probe(name, float(areas.auroc[0]), areas.interval())


def _groups(data: DataSet, ids: list[str], same: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Number of the group of each image: same picture or same patient, directly or through others."""
    from crepitus.data.duplicates import components

    position = {image_id: k for k, image_id in enumerate(ids)}
    edges = [(position[g[0]], position[i]) for g in same for i in g[1:] if g[0] in position and i in position]
    first: dict[str, int] = {}
    for image_id, patient in data.images.select("image_id", "patient_id").drop_nulls().iter_rows():
        if image_id in position:
            edges.append((first.setdefault(patient, position[image_id]), position[image_id]))
    number = np.zeros(len(ids), dtype=np.int64)
    for k, members in enumerate(components(len(ids), edges)):
        number[members] = k
    return number


def _metadata(table: pl.DataFrame) -> NDArray[np.float64]:
    columns = []
    for name in METADATA:
        values = table[name]
        if values.dtype == pl.String:
            values = values.cast(pl.Categorical).to_physical()
        columns.append(values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return np.column_stack(columns)
