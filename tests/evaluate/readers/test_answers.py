"""Tables of reader answers: figures by hand, and what is refused."""

import numpy as np
import polars as pl
import pytest

from crepitus.errors import ReadersError, UsageError
from crepitus.evaluate.readers.answers import read_answers
from crepitus.evaluate.readers.study import analyse, plan
from crepitus.evaluate.readers.table import reader_table

# Three options, as in paper 003: hip, pelvis or none. Six cases, three readers in two groups.
TRUTH = {"c1": "hip", "c2": "hip", "c3": "pelvis", "c4": "pelvis", "c5": "none", "c6": "none"}
SAID = {
    ("er", "ann"): ["hip", "hip", "pelvis", "none", "none", "hip"],  # 4 of 6
    ("er", "bob"): ["hip", "none", "pelvis", "pelvis", "none", "none"],  # 5 of 6
    ("radiology", "eve"): ["hip", "hip", "pelvis", "pelvis", "none", "none"],  # all
}


def write(path, rows):
    pl.DataFrame(rows).write_csv(path)
    return path


def options(tmp_path):
    rows = [
        {"reader": reader, "group": group, "image_id": case, "answer": answer, "truth": TRUTH[case]}
        for (group, reader), said in SAID.items()
        for case, answer in zip(TRUTH, said, strict=True)
    ]
    return write(tmp_path / "answers.csv", rows)


def test_table_of_three_options_by_hand(tmp_path):
    # Ann: hip found 2 of 2, called in 1 of 4 others (c6): sensitivity 1, specificity 3/4; pelvis 1 of 2,
    # never called elsewhere: 1/2, 1. Bob: hip 1/2, 1; pelvis 1, 1.
    rows = {(r.kind, r.name): r for r in reader_table(read_answers(options(tmp_path)))}
    assert list(rows) == [
        ("reader", "ann"), ("reader", "bob"), ("reader", "eve"),
        ("group", "er"), ("group", "radiology"), ("average", "average"),
    ]  # fmt: skip
    keys = ("accuracy", "sensitivity.hip", "specificity.hip", "sensitivity.pelvis", "specificity.pelvis")
    expected = {
        ("reader", "ann"): (4 / 6, 1, 3 / 4, 1 / 2, 1),
        ("reader", "bob"): (5 / 6, 1 / 2, 1, 1, 1),
        ("reader", "eve"): (1, 1, 1, 1, 1),
        # The mean over the readers of the group, and over all readers: not over the groups.
        ("group", "er"): (4.5 / 6, 3 / 4, 7 / 8, 3 / 4, 1),
        ("average", "average"): (15 / 18, 2.5 / 3, 2.75 / 3, 2.5 / 3, 1),
    }
    for name, values in expected.items():
        assert [rows[name].figures[k] for k in keys] == pytest.approx(values), name
    assert rows["group", "er"].readers == 2


def test_published_average_is_the_mean_over_readers():
    # Paper 003, Table 2: 6 ER physicians, 11 surgeons, 4 orthopaedists, 2 radiologists. The printed averages
    # follow from the printed groups when every reader counts once, and not when every group does.
    counts = np.array([6, 11, 4, 2])
    groups = np.array(
        [
            [0.881, 0.983, 0.937, 0.813, 0.955],
            [0.855, 0.931, 0.928, 0.829, 0.932],
            [0.932, 1.000, 0.953, 0.905, 0.990],
            [0.930, 0.990, 0.965, 0.870, 0.995],
        ]
    )
    average = counts @ groups / counts.sum()
    assert average == pytest.approx([0.882, 0.962, 0.938, 0.842, 0.953], abs=1e-3)
    assert abs(groups.mean(axis=0)[0] - 0.882) > 0.01


def test_a_single_finding_needs_no_ending(tmp_path):
    rows = [
        {"reader": "a", "image_id": f"c{k}", "answer": said, "truth": true}
        for k, (said, true) in enumerate([("1", "1"), ("0", "1"), ("0", "0"), ("1", "0"), ("0", "0")])
    ]
    answers = read_answers(write(tmp_path / "a.csv", rows))
    (reader, average) = reader_table(answers)
    assert reader.figures == average.figures
    assert reader.figures == pytest.approx({"accuracy": 3 / 5, "sensitivity": 1 / 2, "specificity": 2 / 3})


def ratings(tmp_path, treatments=("without", "with"), readers=("a", "b", "c"), n=40):
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 2
    rows = []
    for position, treatment in enumerate(treatments):
        for reader in readers:
            seen = truth * (1 + 0.5 * position) + rng.normal(0, 1, n)
            rows += [
                {"reader": reader, "image_id": f"c{k}", "treatment": treatment, "rating": seen[k]}
                for k in range(n)
            ]
    return write(tmp_path / "ratings.csv", rows), {f"c{k}": str(t) for k, t in enumerate(truth)}


def test_ratings_with_and_without(tmp_path):
    path, truth = ratings(tmp_path)
    answers = read_answers(path, truth)
    assert answers.ratings.shape == (2, 3, 40)
    study = analyse(answers, against=0.5)
    means = [row.figures["auroc"] for row in study.table if row.kind == "average"]
    for g in ("random", "fixed_readers", "fixed_cases"):
        d = study.differences[g][0, 1]
        assert d.value == pytest.approx(means[0] - means[1])
        assert d.ci95[0] < d.value < d.ci95[1]
        # An interval leaves out 0 exactly when p is below 0.05.
        assert (d.ci95[0] > 0 or d.ci95[1] < 0) == (d.p_value < 0.05)
        # F of two treatments is t squared; chi-square is z squared.
        assert study.equal[g].statistic == pytest.approx(d.statistic**2)
        assert study.equal[g].p_value == pytest.approx(d.p_value)
    assert study.single["random"][1].p_value < 0.05
    made = plan(study, effect=0.1, readers=6)
    assert made.cases["random"] >= made.cases["fixed_cases"]


def test_options_can_be_analysed_too(tmp_path):
    study = analyse(read_answers(options(tmp_path)), figure="sensitivity.hip")
    assert study.components.figures.tolist() == [[1, 0.5, 1]]
    assert study.differences == {}
    with pytest.raises(UsageError, match=r"expected one of accuracy, sensitivity\.hip"):
        analyse(read_answers(options(tmp_path)), figure="auroc")
    with pytest.raises(UsageError, match="two treatments"):
        plan(study, effect=0.1, readers=6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader,image_id,answer,truth\n", "expected at least one answer"),
        ("image_id,answer,truth\nc,1,1\n", "column 'reader' is missing"),
        ("reader,image_id,truth\na,c,1\n", "either the column 'answer'"),
        ("reader,image_id,answer,rating,truth\na,c,1,1,1\n", "either the column 'answer'"),
        ("reader,image_id,rating,truth\na,c,high,1\n", "row 1, column rating: expected a number, got 'high'"),
        ("reader,image_id,rating,truth\na,c,nan,1\n", "row 1, column rating"),
        ("reader,image_id,rating,truth\na,c,,1\n", "row 1, column rating: expected a value, it is empty"),
        ("reader,image_id,rating,truth\na,c,1,hip\n", "expected 1 or 0 as truth"),
        ("reader,image_id,answer\na,c,1\n", "column 'truth' is missing"),
        ("reader,image_id,answer,truth\na,c,1,1\na,c,0,1\n", "row 2: expected one answer of each reader"),
        (
            "reader,image_id,answer,truth\na,c,1,1\nb,d,1,1\n",
            "2 are missing, the first is reader 'a', image_id 'd'",
        ),
        ("reader,image_id,answer,truth\na,c,1,1\nb,c,1,0\n", "row 2, column truth: expected '1'"),
        ("reader,image_id,answer,truth,group\na,c,1,1,x\na,d,1,1,y\n", "row 2, column group: expected 'x'"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(ReadersError, match=r".*") as caught:
        analyse(read_answers(path))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_truth_and_negative_option_that_are_not_known(tmp_path):
    path, truth = ratings(tmp_path)
    del truth["c3"]
    with pytest.raises(ReadersError, match="that of 'c3' is not known"):
        read_answers(path, truth)
    with pytest.raises(ReadersError, match="there is none"):
        read_answers(tmp_path / "absent.csv")
    path.write_text("reader,image_id,answer,truth\na,c,yes,no\n")
    with pytest.raises(ReadersError, match="name it with --negative"):
        analyse(read_answers(path))
    assert analyse(read_answers(path), negative="no").table[0].figures["specificity"] == 0
    with pytest.raises(ReadersError, match="--negative never: expected one of the options no, yes"):
        analyse(read_answers(path), negative="never")
