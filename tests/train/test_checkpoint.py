"""Checkpoints without pickle: everything comes back, nothing else is taken."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crepitus.train.checkpoint import SafetensorsIO, decode, encode

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(plain)
def test_nested_values_come_back(value):
    tensors = {}
    assert decode(encode(value, tensors), tensors) == value


def test_optimizer_state_comes_back_through_a_file(tmp_path):
    state = {
        "optimizer_states": [
            {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2, 3)}}, "lr": 1e-3}
        ],
        "best": -math.inf,
        "betas": (0.9, 0.999),
    }
    path = tmp_path / "deep" / "last.safetensors"
    SafetensorsIO().save_checkpoint(state, path)
    loaded = SafetensorsIO().load_checkpoint(path)
    inner = loaded["optimizer_states"][0]["state"][0]
    assert inner["step"].item() == 3
    assert torch.equal(inner["exp_avg"], torch.ones(2, 3))
    assert loaded["best"] == -math.inf
    assert loaded["betas"] == (0.9, 0.999)
    assert [p.name for p in path.parent.iterdir()] == ["last.safetensors"]


def test_objects_are_refused():
    with pytest.raises(TypeError, match="object"):
        encode({"a": object()}, {})
