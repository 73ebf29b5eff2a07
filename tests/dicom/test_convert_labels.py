"""Labels from a table: by image, file, study or accession number, and nothing else of the table."""

import json

import pytest
from test_convert import add, run

from crepitus.data import DataSet
from crepitus.data.labels import read_labels
from crepitus.errors import CrepitusError, UsageError


def labelled(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    return read_labels(tmp_path / "labels.csv")


def test_labels_by_study_and_the_exact_image_wins(tmp_path):
    first = add(tmp_path / "in", "a/1", study="A")
    add(tmp_path / "in", "a/2", study="A")
    add(tmp_path / "in", "b/1", study="B", AccessionNumber="007")
    add(tmp_path / "in", "c/1", study="C")
    table = labelled(
        tmp_path,
        "study_instance_uid,file,accession_number,label,ao_class,reader\n"
        f"{first.StudyInstanceUID},,,1,A1,Dr X\n"
        f",a/2,,0,,\n,,007,1,,\n1.2.3.4,,,0,,\n",
    )  # fmt: skip
    outcome = run(tmp_path / "in", tmp_path / "out", keys=tmp_path / "k.json", labels=table)
    images = DataSet.read(tmp_path / "out").images
    by_id = {row["image_id"]: row for row in images.iter_rows(named=True)}
    files = {r["file"]: by_id[r["image_id"]] for r in json.loads((tmp_path / "k.json").read_text())["images"]}
    assert {name: (row["label"], row["ao_class"], row["label_source"]) for name, row in files.items()} == {
        "a/1": (1, "A1", "study_instance_uid"),
        "a/2": (0, "A1", "file"),
        "b/1": (1, None, "accession_number"),
        "c/1": (None, None, None),
    }
    assert any("reader" in w for w in outcome.warnings)
    assert any("1 rows" in w and "1.2.3.4" in w for w in outcome.warnings)
    assert "Dr X" not in images.write_csv()
    assert run(tmp_path / "in", tmp_path / "out", keys=tmp_path / "k.json", labels=table).progress.files == 0
    with pytest.raises(UsageError, match="new or empty"):
        run(tmp_path / "in", tmp_path / "out", keys=tmp_path / "k.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label\n1\n", "study_instance_uid"),
        ("file\na\n", "label"),
        ("file,label\na,2\n", "row 1, column label"),
        ("file,label\na,1\n,0\n", "row 2, column file"),
        ("file,label\na,1\nb,0\na,0\n", "row 3, column file"),
        ("file,label\na,broken\n", "row 1, column label"),
    ],
)
def test_faults_of_the_label_table_name_row_and_column(tmp_path, text, words):
    with pytest.raises(CrepitusError, match=words):
        labelled(tmp_path, text)
