"""`prepare` on phantoms: each step, annotations that follow, the way back, and a second run."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.data import DataSet
from crepitus.data.preparing import prepare
from crepitus.data.writer import DataSetWriter
from crepitus.errors import UsageError
from crepitus.phantom.generate import Request, make_image
from crepitus.prepare.affine import Affine
from crepitus.prepare.body_part import parts_of
from crepitus.prepare.pipeline import Recipe
from crepitus.prepare.way_back import WayBack
from crepitus.structures import Annotation, Points, Radiograph

STEPS = ("polarity", "split", "align", "pad", "resize")


@pytest.fixture(scope="module")
def wrists():
    """Pixels and a point of three wrists of 256 px."""
    made = [make_image(Request(scene="wrist", size=256, seed=3, preset="easy"), k) for k in (0, 2, 4)]
    return [(s.radiograph.pixels, np.array([[120.0, 110.0]])) for s in made]


def written(root, images, **columns):
    with DataSetWriter(root, {"name": "test"}, ("points",)) as writer:
        for number, (pixels, xy) in enumerate(images):
            own = {name: values[number] for name, values in columns.items()}
            writer.add(Radiograph(f"i{number}", pixels), Annotation(label=1, points=Points(xy)), **own)
    return root


def pixels_of(root):
    data = DataSet.read(root)
    return {i: data.radiograph(i).pixels for i in data.images["image_id"]}


def test_points_come_back_to_where_they_were(wrists, tmp_path):
    turned = [(np.rot90(p).copy(), np.array([[xy[0, 1], 256 - xy[0, 0]]])) for p, xy in wrists]
    written(tmp_path / "set", [*wrists, *turned], body_part=["WRIST"] * 6)
    prepare(tmp_path / "set", Recipe(STEPS, size=96), tmp_path / "out")
    source, data = DataSet.read(tmp_path / "set"), DataSet.read(tmp_path / "out")
    seen = 0
    for row in data.images.iter_rows(named=True):
        assert (row["rows"], row["columns"]) == (96, 96)
        back = WayBack.of(row)
        for point in data.points_by_image.get(row["image_id"], np.zeros((0, 2))):
            original = source.points_by_image[back.source_image_id][0]
            assert back.to_source(point[None])[0] == pytest.approx(original, abs=1e-6)
            seen += 1
    assert seen == 6


@given(st.floats(-180, 180), st.floats(0.1, 10), st.floats(-500, 500), st.floats(0, 1000), st.floats(0, 1000))
def test_the_way_back_undoes_the_way(degrees, scale, shift, x, y):
    affine = Affine.turn(degrees).then(Affine.scaling(scale, scale)).then(Affine.shift(shift, -shift))
    way = WayBack("a", 100, 100, affine)
    assert way.to_source(way.to_prepared(np.array([[x, y]])))[0] == pytest.approx([x, y], abs=1e-7)
    again = WayBack.of({"image_id": "b", "rows": 1, "columns": 1, **way.columns()})
    assert again == way


def test_an_inverted_twin_becomes_the_same(wrists, tmp_path):
    twins = [(255 - p, xy) for p, xy in wrists]
    for name, images in (("plain", wrists), ("twin", twins)):
        written(tmp_path / name, images, body_part=["WRIST"] * 3)
        prepare(tmp_path / name, Recipe(("polarity",)), tmp_path / f"{name}-out")
    plain, twin = pixels_of(tmp_path / "plain-out"), pixels_of(tmp_path / "twin-out")
    assert plain.keys() == twin.keys()
    assert all(np.array_equal(plain[name], twin[name]) for name in plain)


def test_a_second_run_changes_nothing(wrists, tmp_path):
    written(tmp_path / "set", wrists, body_part=["WRIST"] * 3)
    recipe = Recipe((*STEPS, "equalize"), size=96)
    prepare(tmp_path / "set", recipe, tmp_path / "once")
    prepare(tmp_path / "once", recipe, tmp_path / "twice")
    once, twice = pixels_of(tmp_path / "once"), pixels_of(tmp_path / "twice")
    assert list(once) == list(twice)
    assert all(np.array_equal(once[name], twice[name]) for name in once)
    first, second = (DataSet.read(tmp_path / n).points for n in ("once", "twice"))
    assert first.equals(second)


def test_a_blank_image_is_set_aside_and_never_a_negative(wrists, tmp_path):
    blank = (np.full((256, 256), 40, np.uint8), np.zeros((0, 2)))
    written(tmp_path / "set", [wrists[0], blank], body_part=["WRIST"] * 2)
    outcome = prepare(tmp_path / "set", Recipe(("polarity",)), tmp_path / "out")
    assert [code for _, code, _ in outcome.rejected] == ["not-assessable"]
    assert DataSet.read(tmp_path / "out").images["image_id"].to_list() == ["i0"]


@pytest.mark.parametrize(
    ("tag", "part"),
    [
        ("WRIST", "wrist"),
        ("Muñeca", "wrist"),
        ("MU\u00c3\u2018ECA", "wrist"),
        ("Handgelenk li.", "wrist"),
        ("poignet D", "wrist"),
        ("POLSO", "wrist"),
        ("punho", "wrist"),
        ("wirst", "wrist"),
        ("BACINO", "pelvis"),
        ("Becken", "pelvis"),
        ("Hand", "hand"),
        ("rodilla", "knee"),
    ],
)
def test_tags_in_six_languages(tag, part):
    assert part in parts_of(tag)


def test_tags_that_say_nothing():
    assert parts_of("") == frozenset()
    assert parts_of("12345") == frozenset()
    assert "wrist" not in parts_of("CHEST")


def test_the_filter_keeps_one_part_and_says_why_not(wrists, tmp_path):
    written(tmp_path / "set", wrists, body_part=["MUNECA", "RODILLA", None])
    recipe = Recipe(("body-part",), body_parts=("wrist",))
    outcome = prepare(tmp_path / "set", recipe, tmp_path / "out")
    assert DataSet.read(tmp_path / "out").images["image_id"].to_list() == ["i0"]
    messages = {file: message for file, _, message in outcome.rejected}
    assert len(messages) == 2
    assert any("knee" in message for message in messages.values())
    assert any("unknown" in message for message in messages.values())


def test_two_parts_on_a_plate_become_two_images(wrists, tmp_path):
    gap = np.zeros((256, 60), np.uint8)
    plate = np.hstack([wrists[0][0], gap, wrists[1][0]])
    # One point on either wrist; the second lies 316 px farther right on the plate.
    points = np.array([[120.0, 110.0], [436.0, 110.0]])
    written(tmp_path / "set", [(plate, points)], body_part=["WRIST"])
    prepare(tmp_path / "set", Recipe(("split",)), tmp_path / "out")
    data = DataSet.read(tmp_path / "out")
    assert len(data) == 2
    assert {len(xy) for xy in data.points_by_image.values()} == {1}
    found = sorted(
        float(WayBack.of(data.row(i)).to_source(xy)[0, 0]) for i, xy in data.points_by_image.items()
    )
    assert found == pytest.approx([120, 436])


@pytest.mark.parametrize(
    ("steps", "options", "match"),
    [
        (("invert",), {}, "--steps: expected some of"),
        (("resize",), {}, "--size"),
        (("body-part",), {}, "--body-part"),
        (("polarity",), {"heuristic": "best"}, "--heuristic"),
    ],
)
def test_impossible_recipes_are_refused(steps, options, match):
    with pytest.raises(UsageError, match=match):
        Recipe(steps, **options)


def test_every_image_has_a_row_or_a_reason(wrists, tmp_path):
    written(tmp_path / "set", wrists, body_part=["WRIST", "KNEE", ""])
    damaged = tmp_path / "set" / "images" / "i0.png"
    damaged.write_bytes(damaged.read_bytes()[:-60])
    outcome = prepare(tmp_path / "set", Recipe(("body-part",), body_parts=("wrist",)), tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "images.parquet")
    assert len(table) + len(outcome.rejected) == 3
