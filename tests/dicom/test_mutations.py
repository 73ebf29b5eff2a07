"""Damaged files of every syntax: each gives an image or a row, and no process of ours dies or hangs."""

import csv
import resource

import pytest

from crepitus.data.converting import Settings, convert
from crepitus.dicom.pool import Limits
from mutations import KINDS, mutation, whole_files

COUNT, SEED = 300, 2024
CODES = {
    "not-dicom",
    "damaged",
    "too-large",
    "unsupported-syntax",
    "not-radiograph",
    "not-assessable",
    "duplicate",
}
MAX_WORKER_KB = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    return whole_files(tmp_path_factory.mktemp("whole"))


def test_mutations_repeat_and_differ(wholes):
    one, again, other = (mutation(wholes, seed, 5) for seed in (1, 1, 2))
    assert one == again
    assert one[2] != other[2]
    assert {mutation(wholes, SEED, n)[1] for n in range(COUNT)} == {kind.__name__ for kind in KINDS}
    assert {mutation(wholes, SEED, n)[0] for n in range(len(wholes))} == {whole.syntax for whole in wholes}


def test_every_damaged_file_is_an_image_or_a_row(wholes, tmp_path):
    (tmp_path / "in").mkdir()
    for whole in wholes:
        (tmp_path / "in" / whole.syntax).write_bytes(whole.content)
    assert convert(Settings(tmp_path / "in"), tmp_path / "whole").images == 1, "they share their UID"
    for number in range(COUNT):
        syntax, kind, content = mutation(wholes, SEED, number)
        (tmp_path / "in" / f"{number:05}-{syntax}-{kind}").write_bytes(content)
    outcome = convert(Settings(tmp_path / "in"), tmp_path / "out", workers=2, limits=Limits(seconds=30))
    assert outcome.progress.files == COUNT + len(wholes)
    assert outcome.images + len(outcome.rejected) == COUNT + len(wholes)
    with (tmp_path / "out" / "rejected.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["code"] for row in rows} <= CODES
    assert all(row["message"] and row["message"].isprintable() for row in rows)
    # Some damage is harmless, and most is not.
    assert COUNT * 0.1 < outcome.images < COUNT * 0.7
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < MAX_WORKER_KB
