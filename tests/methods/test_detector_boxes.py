"""Boxes on points, boxes as heatmaps, and the three detectors as networks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crepitus.methods.baselines.boxes import boxes_on_points, painted
from crepitus.methods.baselines.detector_network import DetectorNetwork
from crepitus.methods.parts.backbone import BackboneConfig
from reference import mining as slow


def test_boxes_on_points_by_hand():
    points = torch.tensor([[50.0, 40.0], [5.0, 98.0], [-30.0, 50.0]])
    # 20 px: whole; cut off at the left and at the lower border; gone.
    assert boxes_on_points(points, 20.0, (100, 200)).tolist() == [[40, 30, 60, 50], [0, 88, 15, 100]]
    assert boxes_on_points(torch.zeros(0, 2), 20.0, (100, 200)).shape == (0, 4)


coordinate = st.integers(0, 24)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(coordinate, coordinate, coordinate, coordinate, st.floats(0, 1, width=32)), max_size=5
    ),
    st.sampled_from([1, 4, 5]),
)
def test_painted_equals_the_slow_reference(corners, stride):
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d), s) for a, b, c, d, s in corners]
    tensor = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 5)
    rows, columns = -(-18 // stride), -(-22 // stride)
    expected = torch.tensor(slow.painted(boxes, 18, 22, rows, columns))
    maps = painted([tensor, torch.zeros(0, 5)], (18, 22), stride)
    assert torch.allclose(maps[0], expected)
    assert not maps[1].any()


@pytest.mark.parametrize("kind", ["faster-rcnn", "retinanet", "fcos"])
def test_a_detector_learns_and_answers_in_pixels_of_the_input(kind):
    torch.manual_seed(0)
    network = DetectorNetwork(
        kind,
        BackboneConfig(name="test_resnet", weights="random"),
        channels=32,
        size_px=96,
        score_floor=0.001,
        overlap=0.5,
        limit=7,
        initialise=True,
    )
    images = torch.rand(2, 1, 64, 96)
    network.train()
    terms = network.losses(images, [torch.tensor([[10.0, 10, 30, 30]]), torch.zeros(0, 4)])
    total = sum(terms.values())
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is not None for p in network.detector.backbone.backbone.network.conv1.parameters())
    network.eval()
    with torch.no_grad():
        found = network(images)
    assert len(found) == 2
    for boxes in found:
        assert boxes.shape[1] == 5
        assert 0 < len(boxes) <= 7
        assert (boxes[:, :4] >= 0).all()
        assert (boxes[:, [0, 2]] <= 96).all()
        assert (boxes[:, [1, 3]] <= 64).all()
        assert (boxes[:, 4].diff() <= 0).all()
        assert ((boxes[:, 4] >= 0) & (boxes[:, 4] <= 1)).all()
