"""Cases are chosen by the printed rules, and their pictures survive whatever cannot be read."""

import base64
import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from crepitus.report.gallery import GROUPS, Case, _found, choose, data_uri, pictures


def table(rows):
    schema = {
        "image_id": pl.String, "truth": pl.Int64, "score": pl.Float64,
        "points": pl.Int64, "found": pl.Int64, "false_positives": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def ids(cases, group):
    return [case.image_id for case in cases if case.group == group]


def test_threshold_itself_is_flagged():
    cases = choose(table([("a", 1, 0.5, 1, 1, 0), ("b", 0, 0.5, 0, 0, 0)]), 0.5)
    assert ids(cases, "hit") == ["a"]
    assert ids(cases, "false-alarm") == ["b"]


def test_groups_are_chosen_by_their_rules():
    rows = [(f"m{i}", 1, 0.01 * i, 1, 0, 0) for i in range(9, -1, -1)]
    rows += [(f"a{i}", 0, 0.6 + 0.01 * i, 0, 0, 1) for i in range(10)]
    rows += [(f"n{i:02d}", 0, 0.01 * i, 0, 0, 0) for i in range(50)]
    cases = choose(table(rows), 0.5, count=4)
    assert ids(cases, "miss") == ["m0", "m1", "m2", "m3"]
    assert ids(cases, "false-alarm") == ["a9", "a8", "a7", "a6"]
    # Ranks 0, 16.33, 32.67, 49 of 50 by falling score: n49, n33, n16, n00.
    assert ids(cases, "normal") == ["n49", "n33", "n16", "n00"]


def test_hits_show_the_best_and_the_worst_localized():
    rows = [
        ("all-clean", 1, 0.6, 2, 2, 0),
        ("all-noisy", 1, 0.9, 2, 2, 3),
        ("half", 1, 0.9, 2, 1, 0),
        ("none-high", 1, 0.99, 1, 0, 0),
        ("none-noisy", 1, 0.99, 1, 0, 2),
        ("all-clean-high", 1, 0.8, 1, 1, 0),
    ]
    cases = choose(table(rows), 0.5, count=4)
    assert ids(cases, "hit") == ["all-clean-high", "all-clean", "none-high", "none-noisy"]


@pytest.mark.parametrize("hits", [0, 1, 4, 7, 8, 9])
def test_no_hit_is_shown_twice(hits):
    cases = choose(table([(f"h{i}", 1, 0.9, 1, 1, 0) for i in range(hits)]), 0.5)
    assert len(cases) == len(set(ids(cases, "hit"))) == min(hits, 8)


def test_images_without_truth_or_score_are_passed_over():
    rows = [("a", None, 0.9, None, None, None), ("b", 1, None, 1, 0, 0), ("c", 1, float("nan"), 1, 0, 0)]
    assert choose(table(rows), 0.5) == []
    assert choose(table([]), 0.5) == []


def test_every_group_has_a_rule():
    assert [g.key for g in GROUPS] == ["hit", "miss", "false-alarm", "normal"]
    assert all(g.rule.endswith(".") for g in GROUPS)


def test_partly_found_points_are_told_apart_by_the_heatmaps_boxes():
    heatmap = np.zeros((8, 10))
    heatmap[5, 6] = 0.8  # on an image of 80 x 100: x 60 .. 70, y 50 .. 60
    case = Case("f2", "hit", 0.7, 1, 2, 1, 0)
    xy = np.array([[20.0, 20.0], [60.0, 50.0]])
    assert _found(case, xy, heatmap, 0.5, (80, 100)) == [False, True]
    # Half-open: the far corner is outside; then nothing is found, which contradicts the evaluation.
    assert _found(case, np.array([[20.0, 20.0], [70.0, 60.0]]), heatmap, 0.5, (80, 100)) is None
    assert _found(replace(case, found=2), xy, None, None, (80, 100)) == [True, True]
    assert _found(replace(case, found=0), xy, None, None, (80, 100)) == [False, False]
    assert _found(replace(case, found=None), xy, heatmap, 0.5, (80, 100)) is None


def test_pictures_are_decodable_and_differ(scene):
    case = choose(scene.evaluation.images, 0.5)[0]
    shown = pictures(
        case, scene.data, scene.predictions, threshold=0.5, localization_threshold=0.5, longest=200
    )
    decoded = []
    for uri in (shown.plain, shown.marked):
        prefix, content = uri.split(",", 1)
        assert prefix == "data:image/webp;base64"
        decoded.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).astype(int))
    assert decoded[0].shape == decoded[1].shape == (160, 200, 3)
    assert (shown.width, shown.height) == (200, 160)
    assert shown.notes == ()
    # The cell with 0.9 of f1: x 40 .. 50, y 30 .. 40; twice as large in the picture.
    # Noise and the blue truth marks are in the same place, so only the mean tells.
    red_over_blue = decoded[1][:, :, 0] - decoded[1][:, :, 2]
    assert red_over_blue[64:76, 84:96].mean() > red_over_blue[100:, :].mean() + 15
    assert np.abs(red_over_blue[100:, :]).mean() < 5


def test_unreadable_image_and_missing_heatmap_become_notes(scene):
    case = choose(scene.evaluation.images, 0.5)[0]
    without = replace(scene.predictions, heatmaps={})
    shown = pictures(case, scene.data, without, threshold=0.5, localization_threshold=0.5)
    assert shown.plain
    assert "heatmap cannot be shown" in shown.notes[0]
    path = scene.data.path(case.image_id)
    path.write_bytes(path.read_bytes()[:200])
    shown = pictures(case, scene.data, scene.predictions, threshold=0.5, localization_threshold=0.5)
    assert shown.plain is None
    assert "image cannot be shown" in shown.notes[0]


def test_data_uri_of_grey_and_colour():
    for shape in ((4, 6), (4, 6, 3)):
        assert data_uri(np.zeros(shape, dtype=np.uint8)).startswith("data:image/webp;base64,")
