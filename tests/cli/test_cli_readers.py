"""`crepitus readers` as a user runs it."""

import json

import numpy as np
import polars as pl
import pytest

from crepitus.cli import main


def run(*arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["readers", *map(str, arguments)])
    output = capsys.readouterr()
    return ended.value.code, output.out, output.err


@pytest.fixture
def ratings(tmp_path):
    rng = np.random.default_rng(3)
    truth = np.arange(30) % 2
    rows = [
        {
            "reader": reader,
            "group": "one" if reader in "ab" else "two",
            "treatment": treatment,
            "image_id": f"c{k}",
            "rating": truth[k] * gain + rng.normal(),
            "truth": truth[k],
        }
        for treatment, gain in (("without AI", 0.8), ("with AI", 1.6))
        for reader in "abcd"
        for k in range(30)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "ratings.csv")
    return tmp_path / "ratings.csv"


def test_table_in_table_out(ratings, capsys, tmp_path):
    out = tmp_path / "results"
    status, text, _ = run(ratings, "--out", out, "--against", 0.5, "--effect", 0.1, capsys=capsys)
    assert status == 0
    table = pl.read_csv(out / "readers.csv")
    # Four readers, two groups, the average; each with two treatments.
    assert table.height == 14
    average = table.filter(pl.col("kind") == "average")["auroc"].to_list()
    of_readers = table.filter(pl.col("kind") == "reader").group_by("treatment", maintain_order=True)
    assert average == pytest.approx(of_readers.agg(pl.col("auroc").mean())["auroc"].to_list())
    result = json.loads((out / "readers.json").read_text())
    difference = result["differences"]["random"][0]
    assert (difference["first"], difference["second"]) == ("without AI", "with AI")
    assert difference["value"] == pytest.approx(average[0] - average[1])
    assert f"without AI - with AI: {difference['value']:.4f}" in text
    assert result["plan"]["readers"] == 4
    status, printed, _ = run(ratings, "--against", 0.5, "--effect", 0.1, "--json", capsys=capsys)
    assert json.loads(printed) == result


def test_truth_of_a_data_set(ratings, capsys, tmp_path):
    table = pl.read_csv(ratings)
    data = tmp_path / "data"
    data.mkdir()
    images = table.unique("image_id", maintain_order=True).select("image_id", label="truth")
    images = images.with_columns(pl.lit(4).alias("rows"), pl.lit(4).alias("columns"), file=pl.lit("a.png"))
    images.write_csv(data / "images.csv")
    table.drop("truth").write_csv(ratings)
    status, _, err = run(ratings, capsys=capsys)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "name the data set with --data" in err
    status, text, _ = run(ratings, "--data", data, "--covariance", "bootstrap", "--seed", 1, capsys=capsys)
    assert status == 0
    assert "bootstrap covariance" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--figure", "accuracy"), "--figure accuracy: expected one of auroc"),
        (("--covariance", "guess"), "--covariance"),
        (("--effect", -1), "expected an effect above 0"),
        (("--effect", 0.1, "--power", 1), "a power within 0..1"),
        (("--effect", 0.1, "--plan-readers", 1), "--plan-readers"),
    ],
)
def test_one_line_and_status_2(ratings, capsys, options, message):
    status, out, err = run(ratings, *options, capsys=capsys)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
