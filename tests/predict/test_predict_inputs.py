"""Files to predict: each is one image or one reason, in their order, and read where no file can do harm."""

import numpy as np
import pytest

from crepitus.data.images import write_png
from crepitus.dicom.write import Identity, write_dx
from crepitus.errors import SetAside, UsageError
from crepitus.predict.inputs import find_files, from_files
from crepitus.predict.model import InputImage


def pixels(level, rows=6):
    return np.full((rows, 5), level, dtype=np.uint16) + np.arange(5, dtype=np.uint16)


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        write_png(tmp_path / f"{number}.png", pixels(100 * number))
        write_dx(tmp_path / f"{number}.dcm", pixels(100 * number), Identity("A^B", "P", "S", f"I{number}"))
    (tmp_path / "3.bad").write_bytes(b"no image")
    (tmp_path / "4.cut.png").write_bytes((tmp_path / "4.png").read_bytes()[:-9])
    return tmp_path


def test_every_file_is_answered_in_order(folder):
    files = find_files([folder])
    found = list(from_files(files))
    assert [item.file if isinstance(item, InputImage) else item[0] for item in found] == [
        str(f) for f in files
    ]
    refused = {item[0]: item[1].code for item in found if not isinstance(item, InputImage)}
    assert refused == {str(folder / "3.bad"): "not-dicom", str(folder / "4.cut.png"): "damaged"}
    images = {item.file: item for item in found if isinstance(item, InputImage)}
    for number in range(6):
        np.testing.assert_array_equal(images[str(folder / f"{number}.png")].pixels, pixels(100 * number))
        assert images[str(folder / f"{number}.png")].image_id == str(number)
        assert images[str(folder / f"{number}.dcm")].image_id.startswith("d")
    ids = [item.image_id.casefold() for item in images.values()]
    assert len(ids) == len(set(ids)) == 12


def test_the_same_name_twice_gives_two_ids(tmp_path):
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        write_png(tmp_path / part / ("X.png" if part == "a" else "x.png"), pixels(7))
    found = list(from_files(find_files([tmp_path])))
    assert found[0].image_id == "X"
    assert found[1].image_id.startswith("x-")


def test_reading_may_stop_early(folder):
    inputs = from_files(find_files([folder]))
    assert isinstance(next(inputs), InputImage)
    inputs.close()


def test_no_file_is_an_error(tmp_path):
    assert list(from_files([])) == []
    with pytest.raises(UsageError):
        find_files([tmp_path])
    ((name, error),) = from_files([tmp_path / "gone.png"])
    assert name.endswith("gone.png")
    assert isinstance(error, SetAside)
