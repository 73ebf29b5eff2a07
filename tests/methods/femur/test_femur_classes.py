"""Class sets, the probability tree, and the hierarchical reading."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crepitus.data.ao_classes import class_of
from crepitus.errors import ConfigError
from crepitus.methods.femur.classes import (
    CLASS_NAMES,
    fracture_probability,
    hierarchy,
    log_probabilities,
    logit_count,
    nodes_of,
    reading,
)


@pytest.mark.parametrize(
    ("ao_class", "label", "expected"),
    [
        # For 2, 3, 6 and 7 classes.
        ("A2", 1, ("fracture", "A", "A2", "A2")),
        ("B1", None, ("fracture", "B", "B1", "B1")),
        ("N", 0, ("N", "N", None, "N")),
        # Only a label: enough for fracture or not, and for nothing else.
        (None, 1, ("fracture", None, None, None)),
        ("", 0, ("N", None, None, None)),
        (None, None, (None, None, None, None)),
    ],
)
def test_the_class_of_an_image_in_each_scenario(ao_class, label, expected):
    assert tuple(class_of(ao_class, label, CLASS_NAMES[n]) for n in (2, 3, 6, 7)) == expected


def test_the_ao_class_wins_over_a_label_that_disagrees():
    assert class_of("N", 1, CLASS_NAMES[2]) == "N"


def test_questions_of_each_scenario():
    assert [node.groups for node in nodes_of(CLASS_NAMES[2])] == [((0,), (1,))]
    assert [node.groups for node in nodes_of(CLASS_NAMES[3])] == [((0, 1), (2,)), ((0,), (1,))]
    # Without normal images nobody asks whether there is a fracture.
    assert [node.level for node in nodes_of(CLASS_NAMES[6])] == [1, 2, 2]
    assert nodes_of(CLASS_NAMES[7])[0].groups == ((0, 1, 2, 3, 4, 5), (6,))


@pytest.mark.parametrize(("classes", "softmax", "tree"), [(2, 2, 2), (3, 3, 4), (6, 6, 8), (7, 7, 10)])
def test_number_of_logits(classes, softmax, tree):
    assert logit_count(CLASS_NAMES[classes], "softmax") == softmax
    assert logit_count(CLASS_NAMES[classes], "tree") == tree


def test_tree_by_hand():
    # Fracture : normal = 3 : 1, A : B = 1 : 4. P(A) = 0.75 * 0.2 = 0.15, P(B) = 0.75 * 0.8 = 0.6.
    logits = torch.log(torch.tensor([[3.0, 1.0, 1.0, 4.0]]))
    probabilities = log_probabilities(logits, CLASS_NAMES[3], "tree").exp()
    assert probabilities[0].tolist() == pytest.approx([0.15, 0.6, 0.25], abs=1e-6)


def test_tree_of_the_first_level_alone_asks_nothing_else():
    # Only fracture : normal = 3 : 1 counts; both A and B carry the logarithm of their group.
    logits = torch.log(torch.tensor([[3.0, 1.0, 1.0, 4.0]])).requires_grad_()
    answers = log_probabilities(logits, CLASS_NAMES[3], "tree", levels=1)
    assert answers.exp()[0].tolist() == pytest.approx([0.75, 0.75, 0.25], abs=1e-6)
    answers[0, 1].backward()
    assert logits.grad[0, 2:].tolist() == [0, 0]
    assert logits.grad[0, 0] > 0


@pytest.mark.parametrize("classes", [2, 3, 6, 7])
@pytest.mark.parametrize("output", ["softmax", "tree"])
@settings(max_examples=20)
@given(data=st.data())
def test_probabilities_sum_to_one_and_agree_with_the_levels_above(classes, output, data):
    names = CLASS_NAMES[classes]
    shape = (2, logit_count(names, output))
    logits = torch.from_numpy(data.draw(arrays(np.float32, shape, elements=st.floats(-20, 20, width=32))))
    probabilities = log_probabilities(logits, names, output).exp()
    assert probabilities.sum(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    levels = hierarchy(probabilities, names)
    normal = probabilities[:, names.index("N")] if "N" in names else torch.zeros(2)
    assert (levels["fracture"] + normal).tolist() == pytest.approx([1, 1], abs=1e-5)
    if classes > 2:
        total = levels["A"] + levels["B"]
        assert total.tolist() == pytest.approx(levels["fracture"].tolist(), abs=1e-5)


def test_the_answer_of_a_question_is_the_sum_below_it():
    logits = torch.tensor([[0.3, -1.2, 2.0, 0.1, 0.5, 0.4, -0.3, 1.0, 0.0, 0.2]])
    probabilities = log_probabilities(logits, CLASS_NAMES[7], "tree").exp()
    assert fracture_probability(probabilities, CLASS_NAMES[7]).item() == pytest.approx(
        torch.softmax(logits[0, :2], dim=0)[0].item(), abs=1e-6
    )


def test_maps_keep_their_dimensions_and_equal_the_same_logits_alone():
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(1))
    maps = log_probabilities(logits, CLASS_NAMES[3], "tree")
    assert maps.shape == (2, 3, 3, 5)
    alone = log_probabilities(logits[:, :, 1, 4], CLASS_NAMES[3], "tree")
    assert torch.allclose(maps[:, :, 1, 4], alone, atol=1e-6)


def test_six_classes_presuppose_a_fracture():
    probabilities = log_probabilities(torch.randn(3, 6), CLASS_NAMES[6], "softmax").exp()
    assert fracture_probability(probabilities, CLASS_NAMES[6]).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_another_number_of_logits_is_refused():
    with pytest.raises(ConfigError, match="expected 4 logits, got 3"):
        log_probabilities(torch.zeros(1, 3), CLASS_NAMES[3], "tree")


def test_reading_asks_from_the_top():
    names = CLASS_NAMES[7]
    # P(fracture) = 0.8; P(A) = 0.3, P(B) = 0.5; A2 with 0.3 is the likeliest class, but B is likelier than A.
    assert reading([0.0, 0.3, 0.0, 0.1, 0.25, 0.15, 0.2], names) == ("fracture", "B", "B2")
    assert reading([0.1, 0.1, 0.1, 0.0, 0.0, 0.1, 0.6], names) == ("N",)
    assert reading([0.7, 0.3], CLASS_NAMES[2]) == ("fracture",)
    assert reading([0.5, 0.1, 0.4], CLASS_NAMES[3]) == ("fracture", "A")
    assert reading([0.1, 0.1, 0.1, 0.1, 0.1, 0.5], CLASS_NAMES[6]) == ("B", "B3")
