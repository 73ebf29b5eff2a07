"""A data set in, a data set out: rows accounted for, places followed, interrupted and resumed."""

import cv2
import numpy as np
import polars as pl
import pytest

from crepitus.data import DataSet, DataSetWriter
from crepitus.data.images import read_image, write_png
from crepitus.data.part_truth import part_columns
from crepitus.data.preparing import prepare
from crepitus.errors import NotAssessable, UsageError
from crepitus.prepare.affine import Affine
from crepitus.prepare.follow import shared_out
from crepitus.prepare.pipeline import Recipe
from crepitus.prepare.plan import Plan, look_at
from crepitus.prepare.way_back import WayBack
from crepitus.structures import Annotation, Boxes, Landmarks, Points, Radiograph

SMALL = Recipe(("polarity", "pad", "resize"), size=32)
DOT = (21.5, 33.5)


def limb(rng, rows=60, columns=48):
    """Something like a bone: a bright bar with bright edges on a dark ground, and a dot at DOT."""
    pixels = rng.normal(20, 2, (rows, columns))
    cv2.rectangle(pixels, (14, 0), (28, rows), 120, -1)
    cv2.rectangle(pixels, (14, -1), (28, rows), 190, 2)
    x, y = (int(v) for v in DOT)
    pixels[y - 2 : y + 3, x - 2 : x + 3] = 255
    return np.clip(pixels, 0, 255).astype(np.uint8)


def make(root, count=6, **columns):
    rng = np.random.default_rng(0)
    with DataSetWriter(root, {"name": "t"}, annotated=("points", "boxes", "landmarks")) as writer:
        for number in range(count):
            writer.add(
                Radiograph(f"i{number}", limb(rng), 0.2),
                Annotation(
                    label=1,
                    points=Points(np.array([DOT])),
                    boxes=Boxes(np.array([[19.0, 31, 24, 36]])),
                    landmarks=Landmarks(("tip",), np.array([DOT])),
                ),
                **{"body_part": "Muñeca", "patient_id": f"p{number}", "split": "test", "fold": 1, **columns},
            )
    return root


def files(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def same(a, b):
    """Equal but for the settings in dataset.json, which name the source."""
    a, b = ({k: v for k, v in files(out).items() if str(k) != "dataset.json"} for out in (a, b))
    return a == b


def test_places_follow_the_pixels_and_lead_back(tmp_path):
    outcome = prepare(make(tmp_path / "in"), SMALL, tmp_path / "out")
    assert (outcome.images, outcome.rejected) == (6, [])
    data = DataSet.read(tmp_path / "out")
    row = data.row("i3")
    assert (row["rows"], row["columns"], row["patient_id"], row["split"], row["fold"]) == (
        32,
        32,
        "p3",
        "test",
        1,
    )
    # 60 rows become 32: a pixel of 0.2 mm becomes one of 0.2 x 60 / 32 = 0.375 mm.
    assert row["spacing_mm"] == pytest.approx(0.375)
    back = WayBack.of(row)
    point = data.points_by_image["i3"]
    # Padded by 6 on the left, then scaled by 32 / 60.
    np.testing.assert_allclose(point, [[(21.5 + 6) * 32 / 60, 33.5 * 32 / 60]])
    np.testing.assert_allclose(back.to_source(point), [DOT], atol=1e-9)
    assert (back.source_image_id, back.source_rows, back.source_columns) == ("i3", 60, 48)
    pixels = read_image(data.path("i3"))
    assert pixels[int(point[0, 1]), int(point[0, 0])] == pixels.max()


def test_preparing_the_result_changes_nothing(tmp_path):
    recipe = Recipe(("polarity", "split", "align", "pad", "resize", "equalize"), size=32)
    prepare(make(tmp_path / "in"), recipe, tmp_path / "once")
    prepare(tmp_path / "once", recipe, tmp_path / "twice")
    assert same(tmp_path / "once", tmp_path / "twice")


@pytest.mark.parametrize("step", ["polarity", "split", "align", "pad", "resize", "equalize"])
def test_each_step_is_idempotent(tmp_path, step):
    recipe = Recipe((step,), size=32)
    prepare(make(tmp_path / "in", 2), recipe, tmp_path / "once")
    prepare(tmp_path / "once", recipe, tmp_path / "twice")
    assert same(tmp_path / "once", tmp_path / "twice")


def test_the_way_back_leads_through_two_preparations(tmp_path):
    prepare(make(tmp_path / "in", 1), SMALL, tmp_path / "a")
    prepare(tmp_path / "a", Recipe(("resize",), size=20), tmp_path / "b")
    data = DataSet.read(tmp_path / "b")
    back = WayBack.of(data.row("i0"))
    np.testing.assert_allclose(back.to_source(data.points_by_image["i0"]), [DOT], atol=1e-9)


def test_every_row_is_accounted_for(tmp_path):
    root = make(tmp_path / "in")
    (root / "images/i1.png").unlink()
    (root / "images/i2.png").write_bytes((root / "images/i2.png").read_bytes()[:200])
    write_png(root / "images/i3.png", np.full((60, 48), 7, np.uint8))
    write_png(root / "images/i4.png", np.zeros((9, 9), np.uint8))
    outcome = prepare(root, SMALL, tmp_path / "out")
    assert [(file, code) for file, code, _ in outcome.rejected] == [
        ("images/i1.png", "damaged"),
        ("images/i2.png", "damaged"),
        ("images/i3.png", "not-assessable"),
        ("images/i4.png", "damaged"),
    ]
    assert DataSet.read(tmp_path / "out").images["image_id"].to_list() == ["i0", "i5"]
    again = prepare(tmp_path / "out", SMALL, tmp_path / "again")
    # What an earlier step had set aside stays in the account, and is nothing new.
    assert (again.rejected, len(pl.read_csv(tmp_path / "again/rejected.csv"))) == ([], 4)


def test_an_interrupted_preparation_goes_on(tmp_path):
    def stop(records, total):
        for number, record in enumerate(records):
            if number == 3:
                raise KeyboardInterrupt
            yield record

    root = make(tmp_path / "in")
    prepare(root, SMALL, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        prepare(root, SMALL, tmp_path / "out", watch=stop)
    assert not (tmp_path / "out/dataset.json").exists()
    partial = next((tmp_path / "out/.prepare/files").glob("*.png"))
    partial.write_bytes(partial.read_bytes()[:-5])  # half written
    with pytest.raises(UsageError, match="other options"):
        prepare(root, Recipe(("resize",), size=16), tmp_path / "out")
    outcome = prepare(root, SMALL, tmp_path / "out", workers=2)
    assert outcome.resumed >= 2
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert "was complete" in prepare(root, SMALL, tmp_path / "out").warnings[0]


def test_sixteen_bits_stay(tmp_path):
    with DataSetWriter(tmp_path / "in", {}) as writer:
        pixels = limb(np.random.default_rng(0)).astype(np.uint16) * 250
        writer.add(Radiograph("a", pixels), Annotation())
    prepare(tmp_path / "in", SMALL, tmp_path / "out")
    prepared = read_image(tmp_path / "out/images/a.png")
    assert prepared.dtype == np.uint16
    assert len(np.unique(prepared)) > 300


def test_another_part_is_set_aside_and_none_at_all_is_refused(tmp_path):
    root = make(tmp_path / "in", 2)
    images = pl.read_parquet(root / "images.parquet").with_columns(body_part=pl.Series(["Polso", "KNIE"]))
    images.write_parquet(root / "images.parquet")
    recipe = Recipe(("body-part",), body_parts=("wrist",))
    outcome = prepare(root, recipe, tmp_path / "out")
    assert outcome.images == 1
    assert outcome.rejected[0][:2] == ("images/i1.png", "not-assessable")
    assert outcome.tags == [("KNIE", 1, ("knee",)), ("Polso", 1, ("wrist",))]
    with pytest.raises(UsageError, match=r"'KNIE' \(1\), 'Polso' \(1\)"):
        prepare(root, Recipe(("body-part",), body_parts=("skull",)), tmp_path / "none")


def test_masks_follow(tmp_path):
    root = make(tmp_path / "in", 1)
    (root / "masks").mkdir()
    mask = np.zeros((60, 48), np.uint8)
    mask[30:40, 18:28] = 2
    write_png(root / "masks/i0.png", mask)
    (root / "dataset.json").write_text('{"masks": {"files": "masks/<image_id>.png"}}')
    prepare(root, Recipe(("pad",)), tmp_path / "out")
    expected = np.pad(mask, ((0, 0), (6, 6)))
    np.testing.assert_array_equal(read_image(tmp_path / "out/masks/i0.png"), expected)


def test_places_go_to_the_half_that_shows_them():
    plan = Plan(look_at(np.zeros((10, 20), np.uint8)), 10, 20)
    left = plan.moved(Affine(), 10, 10)
    right = plan.moved(Affine.shift(-10, 0), 10, 10)
    boxes = Boxes(np.array([[8.0, 1, 11, 4], [9.0, 5, 14, 9]]), ("metal", "fracture"))
    whole = Annotation(
        label=1,
        points=Points(np.array([[3.0, 4], [12.0, 7]])),
        boxes=boxes,
        landmarks=Landmarks(("a", "b"), np.array([[19.0, 0], [0.0, 0]])),
    )
    mine, other = shared_out([left, right], whole)
    assert mine.points.xy.tolist() == [[3, 4]]
    assert other.points.xy.tolist() == [[2, 7]]
    # The middle of the first box is at 9.5: it is the left half's, cut off at its edge.
    assert (mine.boxes.xyxy.tolist(), mine.boxes.labels) == ([[8, 1, 10, 4]], ("metal",))
    assert (other.boxes.xyxy.tolist(), other.boxes.labels) == ([[0, 5, 4, 9]], ("fracture",))
    assert (mine.landmarks.names, other.landmarks.names) == (("b",), ("a",))


def truth(label, point=None, annotated=True, **row):
    points = Points(np.array([point] if point else []).reshape(-1, 2)) if annotated else None
    here = Annotation(points=points)
    return here, {"label": label, **row}


def test_each_part_has_its_own_label():
    with_point, row = truth(1, (1.0, 1.0), ao_class="A1", laterality="L", hardware=1)
    without = Annotation(points=Points(np.zeros((0, 2))))
    assert part_columns(row, with_point, with_point, (1, 2)) == {
        "laterality": None,
        "hardware": None,
        "label": 1,
        "ao_class": "A1",
    }
    assert part_columns(row, with_point, without, (2, 2))["label"] == 0
    assert part_columns(row, with_point, without, (2, 2))["ao_class"] == "N"
    assert part_columns(row, with_point, with_point, (1, 1)) == {}
    assert "label" not in part_columns({"label": 0}, without, without, (1, 2))
    assert part_columns({"label": 1}, Annotation(), Annotation(), (1, 2))["label"] is None
    with pytest.raises(NotAssessable, match="unknown place"):
        part_columns({"label": 1}, without, without, (1, 2))


def test_an_output_that_holds_files_is_refused(tmp_path):
    root = make(tmp_path / "in", 1)
    with pytest.raises(UsageError, match="outside the data set"):
        prepare(root, SMALL, root / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").touch()
    with pytest.raises(UsageError, match="new or empty"):
        prepare(root, SMALL, tmp_path / "out")
