"""Preparing from and to URLs gives what preparing from and to paths gives."""

import json

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from studies import content, picture

from crepitus.cli import main
from crepitus.data.preparing import prepare
from crepitus.data.writer import DataSetWriter
from crepitus.errors import DataSetError, UsageError
from crepitus.prepare.pipeline import Recipe
from crepitus.scale import remote
from crepitus.scale.commands import Means, prepare_anywhere
from crepitus.structures import Annotation, Points, Radiograph

RECIPE = Recipe(("polarity", "pad", "resize"), size=32)
COUNT = 5


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data set with points, one of whose files is cut, and what preparing makes of it."""
    root = tmp_path_factory.mktemp("prepare")
    with DataSetWriter(root / "set", {"name": "test"}, ("points",)) as writer:
        for number in range(COUNT):
            points = Points(np.array([[10.0 + number, 20.0]]))
            writer.add(Radiograph(f"i{number}", picture(number)), Annotation(points=points))
    cut = root / "set" / "images" / "i3.png"
    cut.write_bytes(cut.read_bytes()[:-40])
    outcome = prepare(root / "set", RECIPE, root / "out")
    assert (outcome.images, len(outcome.rejected)) == (COUNT - 1, 1)
    return root


@pytest.fixture
def store(tmp_path, monkeypatch, whole):
    """A store in memory with the data set in it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(remote, "_WAITS", (0.0,))
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    system = fsspec.filesystem("memory")
    for name, data in content(whole / "set").items():
        system.pipe_file(f"/set/{name}", data)
    yield system
    MemoryFileSystem.store.clear()


def download(store, root):
    return {path[len(root) + 1 :]: store.cat_file(path) for path in sorted(store.find(root))}


def same(found, folder):
    """Byte for byte, but for the digest, which names the source."""
    expected = content(folder)
    for files in (found, expected):
        info = json.loads(files["dataset.json"])
        del info["preparation"]
        files["dataset.json"] = info
    assert found == expected


def test_from_url_to_url(whole, store, tmp_path):
    outcome = prepare_anywhere("memory://set", RECIPE, "memory://out", Means(workers=2))
    assert (outcome.images, outcome.sources) == (COUNT - 1, COUNT)
    same(download(store, "/out"), whole / "out")
    again = prepare_anywhere("memory://set", RECIPE, "memory://out", Means())
    assert "nothing was done" in again.warnings[0]


def test_interrupted_it_goes_on_with_what_has_not_changed(whole, store, tmp_path):
    def interrupt(records, total):
        assert total == COUNT
        for number, record in enumerate(records, start=1):
            if number == 3:
                raise KeyboardInterrupt
            yield record

    with pytest.raises(KeyboardInterrupt):
        prepare_anywhere("memory://set", RECIPE, "memory://out", Means(), watch=interrupt)
    assert "/out/dataset.json" not in store.find("/out")
    outcome = prepare_anywhere("memory://set", RECIPE, "memory://out", Means())
    assert outcome.resumed >= 2
    same(download(store, "/out"), whole / "out")


def test_wrong_places_are_refused(whole, store, tmp_path):
    with pytest.raises(DataSetError, match=r"memory://none: expected a data set"):
        prepare_anywhere("memory://none", RECIPE, "memory://out", Means())
    with pytest.raises(UsageError, match="outside the data set"):
        prepare_anywhere("memory://set", RECIPE, "memory://set/out", Means())
    with pytest.raises(UsageError, match="outside the data set"):
        prepare_anywhere(str(whole / "set"), RECIPE, str(whole / "set" / "out"), Means())


def test_command_line(whole, store, capsys):
    with pytest.raises(SystemExit) as end:
        main(["prepare", "memory://set", "--out", "memory://out", "--size", "32", "--workers", "1"])
    assert end.value.code == 3, "one file is cut"
    output = capsys.readouterr()
    assert "5 images -> 4 prepared" in output.out
    assert "memory://out/rejected.csv" in output.err
