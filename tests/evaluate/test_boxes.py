"""Average precision and FROC of boxes: by hand, against COCO's own code and the slow references."""

import contextlib
import io

import numpy as np
import pytest

from crepitus.evaluate.bootstrap import point_estimates
from crepitus.evaluate.boxes import BoxFroc, BoxPrecision, box_froc_of_image, match_detections
from reference import boxes as slow
from reference import froc as slow_froc


def boxes_of(*rows):
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def average_precision(detections, truth):
    """Fast AP of detections (image, box, score) in file order; truth maps images to boxes."""
    images = list(truth)
    scores = np.array([s for _, _, s in detections], dtype=np.float64)
    owner = np.array([images.index(i) for i, _, _ in detections], dtype=np.intp)
    matched = np.zeros(len(detections), dtype=np.bool_)
    for k, image in enumerate(images):
        rows = np.flatnonzero(owner == k)
        found = boxes_of(*[detections[r][1] for r in rows])
        matched[rows] = match_detections(found, scores[rows], boxes_of(*truth[image]))
    truth_owner = np.array([k for k, i in enumerate(images) for _ in truth[i]], dtype=np.intp)
    statistic = BoxPrecision.of(scores, matched, owner, truth_owner)
    return point_estimates([statistic], len(images))["boxes.ap_50"]


def coco_average_precision(detections, truth):
    """COCO's own evaluation at IoU 0.5, with its limit on detections out of reach."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box):
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    images = list(truth)
    annotations = [
        {"image_id": k, "category_id": 1, "bbox": xywh(b), "area": xywh(b)[2] * xywh(b)[3], "iscrowd": 0}
        for k, image in enumerate(images)
        for b in truth[image]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": k} for k in range(len(images))],
            "categories": [{"id": 1}],
            "annotations": [{"id": n, **a} for n, a in enumerate(annotations, start=1)],
        }
        coco.createIndex()
        found = coco.loadRes(
            [
                {"image_id": images.index(i), "category_id": 1, "bbox": xywh(b), "score": s}
                for i, b, s in detections
            ]
        )
        judge = COCOeval(coco, found, "bbox")
        judge.params.maxDets = [1, 10, 10**6]
        judge.params.iouThrs = np.array([0.5])
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, 0, 0, 2]
    return float(precision.mean())


class TestAveragePrecision:
    def test_by_hand(self):
        # Two boxes. Detections by score: 0.9 hits the first, 0.8 hits nothing, 0.7 hits the second.
        # (recall, precision): (1/2, 1), (1/2, 1/2), (1, 2/3). Recalls 0.00 ... 0.50 (51 points) read 1,
        # 0.51 ... 1.00 (50 points) read 2/3: (51 + 50 * 2/3) / 101.
        truth = {"a": [(0, 0, 10, 10)], "b": [(20, 20, 30, 30)]}
        detections = [
            ("b", (20, 20, 30, 30), 0.7),
            ("a", (0, 0, 10, 10), 0.9),
            ("a", (50, 50, 60, 60), 0.8),
        ]
        expected = (51 + 50 * 2 / 3) / 101
        assert average_precision(detections, truth) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize(("x_max", "hit"), [(20, 1), (20.001, 0)])
    def test_iou_of_exactly_one_half_hits(self, x_max, hit):
        # [0, 20) x [0, 10) with [0, 10) x [0, 10): 100 / 200.
        assert average_precision([("a", (0, 0, x_max, 10), 0.5)], {"a": [(0, 0, 10, 10)]}) == hit

    def test_a_box_is_hit_once(self):
        # The second detection of the same box is a false positive, but comes after full recall: AP 1.
        # A false positive of a higher score halves the precision everywhere.
        twice = [("a", (0, 0, 10, 10), 0.9), ("a", (0, 0, 10, 10), 0.8)]
        assert average_precision(twice, {"a": [(0, 0, 10, 10)]}) == 1
        assert average_precision(twice, {"a": [(0, 0, 10, 10), (50, 50, 60, 60)]}) == pytest.approx(51 / 101)
        before = [("a", (50, 50, 60, 60), 0.95), *twice]
        assert average_precision(before, {"a": [(0, 0, 10, 10)]}) == 0.5

    def test_ties_keep_file_order(self):
        right, wrong = ("a", (0, 0, 10, 10), 0.5), ("a", (50, 50, 60, 60), 0.5)
        assert average_precision([right, wrong], {"a": [(0, 0, 10, 10)]}) == 1
        assert average_precision([wrong, right], {"a": [(0, 0, 10, 10)]}) == 0.5

    def test_null_without_truth_and_zero_without_detections(self):
        assert average_precision([("a", (0, 0, 10, 10), 0.5)], {"a": []}) is None
        assert average_precision([], {"a": []}) is None
        assert average_precision([], {"a": [(0, 0, 10, 10)]}) == 0

    @pytest.mark.parametrize("seed", range(12))
    def test_equals_coco_and_the_slow_reference(self, seed):
        rng = np.random.default_rng(seed)
        truth, detections = {}, []
        for k in range(rng.integers(1, 6)):
            corners = rng.integers(0, 40, (rng.integers(0 if k else 1, 5), 2))
            truth[f"image{k}"] = [
                (*c, *(c + rng.integers(4, 16, 2))) for c in (corners * 1.0 if seed % 2 else corners)
            ]
            for box in truth[f"image{k}"]:
                for _ in range(rng.integers(0, 4)):  # around each box, and some duplicates
                    low = np.maximum(np.array(box[:2]) + rng.integers(-2, 3, 2), 0)
                    found = (*low, *(low + rng.integers(4, 16, 2)))
                    detections.append((f"image{k}", found, round(rng.random(), 1)))
            for _ in range(rng.integers(0, 130 if seed == 0 else 6)):  # more than COCO's limit of 100
                low = rng.random(2) * 40
                detections.append(
                    (f"image{k}", (*low, *(low + 1 + rng.random(2) * 12)), round(rng.random(), 1))
                )
        fast = average_precision(detections, truth)
        assert fast == pytest.approx(slow.average_precision(detections, truth), abs=1e-9)
        if detections:
            assert fast == pytest.approx(coco_average_precision(detections, truth), abs=1e-9)


def box_froc(images, radius):
    parts = [
        box_froc_of_image(
            boxes_of(*boxes), np.array(scores), np.array(points).reshape(-1, 2), (rows, columns), radius
        )
        for boxes, scores, points, rows, columns in images
    ]
    return BoxFroc.of(parts, np.arange(len(parts)))


class TestBoxFroc:
    def test_by_hand(self):
        # Two images of 20 x 20 px, one point each, radius 2. Falling scores: 0.9 holds the point of the
        # first image; 0.8 lies far away in the first; 0.7 holds the point of the second.
        # t = 0.9: recall 1/2, rate 0; 0.8: rate 1/2; 0.7: recall 1, rate 1/2.
        # Recall at 0.1 ... 0.4: 1/2; at 0.5: 1. Score (4 * 0.5 + 1) / 5 = 0.6.
        images = [
            ([(4, 4, 8, 8), (14, 14, 18, 18)], [0.9, 0.8], [(6, 6)], 20, 20),
            ([(4, 4, 8, 8)], [0.7], [(6, 6)], 20, 20),
        ]
        result = point_estimates([box_froc(images, 2)], 2)
        assert result["boxes.froc_score"] == pytest.approx(0.6, abs=1e-12)
        assert result["boxes.recall_at_fp_0.4"] == 0.5
        assert result["boxes.recall_at_fp_0.5"] == 1

    def test_undefined_and_empty(self):
        assert set(point_estimates([box_froc([], 2)], 0).values()) == {None}
        assert set(point_estimates([box_froc([([], [], [], 9, 9)], 2)], 1).values()) == {None}
        assert set(point_estimates([box_froc([([], [], [(1, 1)], 9, 9)], 2)], 1).values()) == {0}

    def test_a_box_outside_the_image_holds_no_pixel(self):
        froc = box_froc(
            [([(-9, -9, 0.5, 0.5), (0.6, 0, 1.4, 9), (-3, -3, 1, 1)], [0.9, 0.8, 0.7], [], 9, 9)], 2
        )
        # [.., 0.5) and [0.6, 1.4) hold no centre; [-3, 1) holds the centre (0.5, 0.5).
        assert froc.scores.tolist() == [0.7]

    @pytest.mark.parametrize("seed", range(8))
    def test_equals_the_slow_reference(self, seed):
        rng = np.random.default_rng(seed)
        images = []
        for _ in range(rng.integers(1, 5)):
            rows, columns = rng.integers(6, 24, 2).tolist()
            n = rng.integers(0, 6)
            low = np.floor(rng.random((n, 2)) * 2 * (columns, rows)) / 2 - 1
            boxes = np.concatenate([low, low + rng.random((n, 2)) * 12], axis=1)
            points = np.floor(rng.random((rng.integers(0, 3), 2)) * 2 * (columns, rows)) / 2
            images.append(
                (boxes.tolist(), np.round(rng.random(n), 1).tolist(), points.tolist(), rows, columns)
            )
        radius = float(rng.choice([1.0, 2.5, 4.0]))
        fast, curve = box_froc(images, radius), slow.box_froc_curve(images, radius)
        score = point_estimates([fast], len(images))["boxes.froc_score"]
        expected = slow_froc.froc_score(curve)
        assert (score is None) == (expected is None)
        assert score is None or score == pytest.approx(float(expected), abs=1e-9)
        # The band reads the same recall as the figures.
        if score is not None:
            at = fast.curve_rounds(np.ones((1, len(images))), np.array([0.1, 0.3, 2.0]))[0]
            assert at == pytest.approx(
                [float(slow_froc.recall_at(curve, r)) for r in (0.1, 0.3, 2.0)], abs=1e-9
            )
