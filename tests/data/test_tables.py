"""Tables as spreadsheets leave them: blanks, columns twice, other encodings and separators."""

import polars as pl
import pytest

from crepitus.data.tables import BOX_COLUMNS, POINT_COLUMNS, read_table, read_text_table
from crepitus.errors import DataSetError, PredictionsError


def read(tmp_path, content, schema=POINT_COLUMNS, error=DataSetError):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, schema, tuple(schema), error)


def test_blanks_around_cells_and_names(tmp_path):
    table = read(tmp_path, "image_id, x ,y, ward, age\na, 12, 20 , W, 7\nb , , 1,V,8\n")
    assert table.columns == ["image_id", "x", "y", "ward", "age"]
    # A further column of text is kept as it stands.
    assert table.rows() == [("a", 12.0, 20.0, " W", 7), ("b", None, 1.0, "V", 8)]


def test_a_label_with_a_blank_is_the_same_label(tmp_path):
    """' fracture' would be another class, and its image a negative."""
    table = read(
        tmp_path, "image_id, x_min, y_min, x_max, y_max, label\na, 1, 2, 3, 4, fracture\n", BOX_COLUMNS
    )
    assert table.rows() == [("a", 1, 2, 3, 4, "fracture")]


@pytest.mark.parametrize("header", ["image_id,x,y,x", "image_id,x,y, x", '"x",image_id,y,x '])
def test_a_column_twice(tmp_path, header):
    with pytest.raises(
        DataSetError, match=r"^t\.csv: expected each column once, column 'x' stands there twice$"
    ):
        read(tmp_path, header + "\na,1,2,3\n")


def test_a_column_twice_in_parquet(tmp_path):
    pl.DataFrame({"image_id": ["a"], "x": [1.0], " x": [2.0], "y": [3.0]}).write_parquet(
        tmp_path / "t.parquet"
    )
    with pytest.raises(DataSetError, match="column 'x' stands there twice"):
        read_table(tmp_path / "t.parquet", POINT_COLUMNS, tuple(POINT_COLUMNS))


def test_empty_columns_at_the_right_are_no_fault(tmp_path):
    assert read(tmp_path, "image_id,x,y,, ,\na,1,2,,,\n").rows()[0][:3] == ("a", 1, 2)


def test_a_binary_file_is_no_table(tmp_path):
    with pytest.raises(DataSetError, match=r"^t\.csv: "):
        read(tmp_path, bytes(range(256)) * 700)
    with pytest.raises(DataSetError, match=r"^t\.csv: expected a readable table"):
        read(tmp_path, '"' + "x" * 200_000 + '",y\n1,2\n')


SAVE_AS = "save it as CSV UTF-8, comma separated"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id;x;y\na;1,5;2\n", f"expected columns separated by commas, got semicolons; {SAVE_AS}"),
        ("image_id\tx\ty\na\t1\t2\n", f"expected columns separated by commas, got tabs; {SAVE_AS}"),
        ("image_id,x,y\na,1,2\n".encode("utf-16"), f"expected UTF-8, got UTF-16; {SAVE_AS}"),
        ("image_id,x,y\nHüfte,1,2\n".encode("latin-1"), f"got another encoding such as Latin-1; {SAVE_AS}"),
        (
            "image_id,x,y,Größe\na,1,2,3\n".encode("latin-1"),
            f"got another encoding such as Latin-1; {SAVE_AS}",
        ),
    ],
)
def test_what_a_spreadsheet_saves(tmp_path, content, message):
    with pytest.raises(PredictionsError) as caught:
        read(tmp_path, content, error=PredictionsError)
    assert str(caught.value).startswith("t.csv: ")
    assert message in str(caught.value)
    with pytest.raises(DataSetError, match="save it as CSV UTF-8"):
        read_text_table(tmp_path / "t.csv", ("image_id",))


def test_a_mark_at_the_beginning_and_one_column_are_no_fault(tmp_path):
    assert read(tmp_path, "image_id,x,y\na,1,2\n".encode("utf-8-sig")).rows() == [("a", 1, 2)]
    assert read(tmp_path, "image_id\na;b\n", {"image_id": pl.String}).rows() == [("a;b",)]
