"""Row 23: only safetensors with the recorded SHA-256; anything else is refused with the reason."""

import pickle

import pytest
import timm
import torch
from torch import nn

from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.parts.backbone import Backbone, BackboneConfig
from crepitus.methods.parts.cam import FullyConvolutional
from crepitus.methods.parts.weights import load_into, load_weights, save_weights, sha256_of

DENSE = {"growth_rate": 4, "block_config": [1, 1, 1, 1]}


def test_round_trip_and_hash(tmp_path):
    state = {"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.float16)}
    digest = save_weights(tmp_path / "w.safetensors", state)
    assert digest == sha256_of(tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors", digest)
    assert torch.equal(loaded["a"], state["a"])
    assert loaded["b"].dtype == torch.float16


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="there is none"):
        load_weights(tmp_path / "none.safetensors")


def test_one_changed_byte_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    digest = save_weights(path, {"a": torch.zeros(4)})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        load_weights(path, digest)


@pytest.mark.parametrize("cut", [0, 4, 8, 20, 70])
def test_truncated_file_is_refused(tmp_path, cut):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.zeros(4)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WeightsError):
        load_weights(path)


def test_pickles_and_archives_are_refused_without_being_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trap"), "w"))

    (tmp_path / "w.pt").write_bytes(pickle.dumps(Trap()))
    torch.save({"a": torch.zeros(1)}, tmp_path / "archive.pt")
    for name in ("w.pt", "archive.pt"):
        with pytest.raises(WeightsError, match="only safetensors is read"):
            load_weights(tmp_path / name)
    assert not (tmp_path / "trap").exists()


def test_another_architecture_is_refused():
    with pytest.raises(WeightsError, match="another architecture"):
        load_into(torch.nn.Linear(2, 3), {"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}, "w")
    with pytest.raises(WeightsError, match="missing"):
        load_into(torch.nn.Linear(2, 3), {"weight": torch.zeros(3, 2)}, "w")
    extra = {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "more": torch.zeros(1)}
    with pytest.raises(WeightsError, match="unexpected"):
        load_into(torch.nn.Linear(2, 3), extra, "w")


def test_local_backbone_weights_are_loaded_as_float32_without_classifier(tmp_path):
    plain = timm.create_model("resnet18", num_classes=5)
    half = {n: t.half() if t.is_floating_point() else t for n, t in plain.state_dict().items()}
    digest = save_weights(tmp_path / "r18.safetensors", half)
    backbone = Backbone(
        BackboneConfig(name="resnet18", weights=str(tmp_path / "r18.safetensors"), weights_sha256=digest)
    )
    given = plain.conv1.weight.detach().half().float()
    assert torch.equal(backbone.network.state_dict()["conv1.weight"], given)


def test_weights_of_another_backbone_are_refused(tmp_path):
    plain = timm.create_model("resnet18", num_classes=0)
    save_weights(tmp_path / "r18.safetensors", plain.state_dict())
    with pytest.raises(WeightsError, match="not those of resnet34"):
        Backbone(BackboneConfig(name="resnet34", weights=str(tmp_path / "r18.safetensors")))


def test_flattened_names_of_cut_networks_are_matched(tmp_path):
    # timm calls 'features.conv0' 'features_conv0' once it cuts a DenseNet into levels.
    plain = timm.create_model("densenet121", num_classes=0)
    state = {n: t for n, t in plain.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_weights(tmp_path / "d.safetensors", state)
    backbone = Backbone(BackboneConfig(name="densenet121", weights=str(tmp_path / "d.safetensors")))
    assert torch.equal(backbone.network.state_dict()["features_conv0.weight"], state["features.conv0.weight"])
    assert backbone.reductions == [4, 8, 16, 32]


def test_backbone_is_found_in_the_weights_of_a_method(tmp_path):
    torch.manual_seed(0)
    trained = FullyConvolutional(BackboneConfig(name="densenet121", weights="random", options=DENSE))
    save_weights(tmp_path / "model.safetensors", trained.state_dict())
    given = BackboneConfig(name="densenet121", weights=str(tmp_path / "model.safetensors"), options=DENSE)
    assert same_tensors(Backbone(given).network, trained.backbone.network)
    # Two backbones in one file, of which the second fits: the one with all names is taken.
    both = nn.ModuleDict({"first": Backbone(BackboneConfig(name="test_resnet", weights="random"))})
    both["second"] = Backbone(BackboneConfig(name="resnet10t", weights="random"))
    save_weights(tmp_path / "two.safetensors", both.state_dict())
    given = BackboneConfig(name="resnet10t", weights=str(tmp_path / "two.safetensors"))
    assert same_tensors(Backbone(given).network, both["second"].network)
    with pytest.raises(WeightsError, match="not those of resnet18"):
        Backbone(BackboneConfig(name="resnet18", weights=str(tmp_path / "two.safetensors")))


def same_tensors(first, second):
    one, other = first.state_dict(), second.state_dict()
    kept = [n for n in one if not n.endswith("num_batches_tracked")]
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in kept)


def test_unknown_backbone_is_a_configuration_error():
    with pytest.raises(ConfigError, match="timm model name"):
        Backbone(BackboneConfig(name="resnet5000", weights="random"))


def test_frozen_stages_keep_weights_and_batch_statistics():
    backbone = Backbone(BackboneConfig(name="resnet18", weights="random", frozen_stages=2)).train()
    before = {n: t.clone() for n, t in backbone.network.state_dict().items()}
    sum(f.square().mean() for f in backbone(torch.rand(2, 1, 64, 64))).backward()
    torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0).step()
    after = backbone.network.state_dict()
    frozen = [n for n in before if n.startswith(("conv1", "bn1", "layer1"))]
    assert frozen
    assert all(torch.equal(before[n], after[n]) for n in frozen)
    assert not torch.equal(before["layer4.0.downsample.0.weight"], after["layer4.0.downsample.0.weight"])


NARROW = {"stem_width": 8, "channels": [16, 32, 64, 128]}


def test_options_reach_the_network():
    network = Backbone(BackboneConfig(name="resnet10t", weights="random", options=NARROW))
    assert network.channels == [16, 32, 64, 128]
    assert network.reductions == [4, 8, 16, 32]
    features = network(torch.rand(1, 1, 64, 64))
    assert [tuple(f.shape) for f in features] == [
        (1, 16, 16, 16),
        (1, 32, 8, 8),
        (1, 64, 4, 4),
        (1, 128, 2, 2),
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chanels": [1]}, "chanels"),
        ({"channels": [16]}, "resnet10t takes"),
        ({"stem_width": -8}, "resnet10t takes"),
    ],
)
def test_options_that_the_network_does_not_take_are_one_line(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Backbone(BackboneConfig(name="resnet10t", weights="random", options=options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pretrained", "checkpoint_path", "features_only"])
def test_options_cannot_name_other_weights(name):
    """timm would load checkpoint_path with pickle; a model's record from elsewhere must not lead there."""
    with pytest.raises(ValueError, match=f"{name} is decided elsewhere"):
        BackboneConfig(options={name: 1})


def test_options_hold_no_text():
    with pytest.raises(ValueError, match="options"):
        BackboneConfig(options={"block": "evil.module"})
