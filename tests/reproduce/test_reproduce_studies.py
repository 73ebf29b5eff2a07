"""A row of a method that answers for studies: the views of a study are predicted together."""

import polars as pl

from crepitus.data import DataSet
from crepitus.methods.parts.study_rules import STUDY_SCORE
from crepitus.reproduce import job
from crepitus.reproduce.plan import Request
from crepitus.reproduce.run import reproduce
from crepitus.reproduce.scales import SCALES
from crepitus.reproduce.table import Metric, Row, Table
from tiny import make_tiny

ROW = Row(
    "aggregator",
    "Aggregator",
    "wrist-aggregator",
    (
        "input.rows_px=64",
        "input.columns_px=48",
        "rx.channels=[4,8]",
        "rx.hidden=[8,4]",
        "training.epochs=1",
        "training.batch_size=4",
    ),
)
TABLE = Table("tiny", "Studies", "Nobody, 2021", (Metric("study.accuracy", "Study"),), (ROW,))


def test_the_views_of_a_study_are_predicted_together(tmp_path, monkeypatch):
    data = make_tiny(tmp_path / "data")
    # Two images ten rows apart make a study: 0 and 10, 1 and 11, ...; fold 0 tests 0, 1, 10 and 11.
    studies = pl.Series("study_id", [f"s{k % 10}" for k in range(len(data))])
    data.images.with_columns(studies).write_csv(data.root / "images.csv")
    monkeypatch.setattr(job, "BATCH", 1)
    request = Request(table=TABLE, scale=SCALES["smoke"], out=tmp_path / "out", rows=(ROW,), rounds=0)
    result = reproduce(request, DataSet.read(data.root), lambda line: None)
    assert [row.state for row in result.rows] == ["finished"]
    folder = tmp_path / "out" / "rows" / "aggregator" / "fold-0" / "predictions"
    images = pl.read_csv(folder / "images.csv")
    assert images["image_id"].to_list() == ["tiny-00", "tiny-10", "tiny-01", "tiny-11"]
    answers = images[STUDY_SCORE].to_list()
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    table = pl.read_csv(folder / "studies.csv")
    assert table.select("study_id", "score", "images").rows() == [
        ("s0", answers[0], 2),
        ("s1", answers[2], 2),
    ]
