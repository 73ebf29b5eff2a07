"""The wrist networks: sizes and statistics by hand, views in any order and number, gradients that arrive."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import ConfigError, WeightsError
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.parts.weights import save_weights
from crepitus.methods.wrist.aggregator import AggregatorNetwork, ViewsConfig, pool_views
from crepitus.methods.wrist.attention import AttentionConfig, AttentionModule, AttentionNetwork
from crepitus.methods.wrist.grey_statistics import GreyStatistics, inverted_statistics
from crepitus.methods.wrist.resnet import ResidualNetwork
from crepitus.methods.wrist.rx import LARGE, RxConfig, RxNetwork, ViewModel, block_sizes, refuse_used_up
from crepitus.methods.wrist.vit import TransformerNetwork

SMALL = RxConfig(channels=(4, 6), hidden=(8, 4), pooled_rows=2, pooled_columns=1)

LITE = (32, 64, 128, 256)
"""Four blocks, as the thesis's small network has; the widths are those of its configurations."""


def images(count, rows=24, columns=16, seed=0):
    return torch.rand(count, 1, rows, columns, generator=torch.Generator().manual_seed(seed))


def test_the_printed_blocks_use_up_the_printed_input():
    # (s - 2) // 2: 341, 169, 83, 40, 19, 8, 3, 0 and 512, 255, 126, 62, 30, 14, 6, 2.
    sizes = block_sizes((341, 512), 8, padded=False)
    assert [size[0] for size in sizes] == [169, 83, 40, 19, 8, 3, 0]
    assert [size[1] for size in sizes] == [255, 126, 62, 30, 14, 6, 2]
    with pytest.raises(ConfigError, match="block 7 leaves 0 x 2"):
        refuse_used_up((341, 512), RxConfig(channels=LARGE, padded=False))
    refuse_used_up((341, 512), RxConfig(channels=LITE, padded=False))


def test_padded_blocks_fit_any_input():
    # ceil(s / 2): 341, 171, 86, 43, 22, 11, 6, 3, 2 and 512 down to 2.
    assert block_sizes((341, 512), 8, padded=True)[-1] == (2, 2)
    assert block_sizes((64, 32), 8, padded=True)[-1] == (1, 1)
    refuse_used_up((64, 32), RxConfig(padded=True))


@given(st.integers(32, 80), st.integers(32, 80), st.integers(1, 4), st.booleans())
def test_sizes_are_those_of_the_network(rows, columns, blocks, padded):
    sizes = block_sizes((rows, columns), blocks, padded=padded)
    if 0 in sizes[-1]:
        return
    model = ViewModel(RxConfig(channels=(2,) * blocks, padded=padded, normalisation="none"))
    assert tuple(model(torch.zeros(1, 1, rows, columns)).shape) == (1, 2, *sizes[-1])


def test_rx_has_no_residuals_and_three_linear_layers():
    layers = [
        type(m).__name__ for m in RxNetwork(RxConfig(channels=LITE)).modules() if not list(m.children())
    ]
    block = ["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"]
    assert layers == [
        "GreyStatistics",
        *(block * 4),
        "AdaptiveAvgPool2d",
        "Flatten",
        *["Linear", "ReLU", "Linear", "ReLU", "Linear"],
    ]


def first_gradient(**options):
    """Norm of the gradient at the first convolution over that at the last linear layer, mean of 3 seeds."""
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        network = RxNetwork(RxConfig(channels=(8,) * 8, hidden=(16, 8), **options))
        torch.nn.functional.binary_cross_entropy_with_logits(
            network(images(8, 64, 64, seed) - 0.5), torch.tensor([0.0, 1.0] * 4)
        ).backward()
        found.append(float(network.views[0].weight.grad.norm() / network.classifier[-1].weight.grad.norm()))
    return float(np.mean(found))


def test_the_signal_of_the_large_network_vanishes_as_printed_and_not_with_he_and_batch_statistics():
    # Eleven layers without normalisation and with PyTorch's initialisation: nothing arrives, as in thesis
    # 004 (6.2.3).
    printed = first_gradient(normalisation="none", initialisation="default")
    ours = first_gradient(normalisation="batch", initialisation="he")
    assert printed < 0.02
    assert ours > 10 * printed


def test_statistics_by_hand():
    statistics = GreyStatistics()
    # Values 0, 0, 1, 1 in two batches: mean 1/2, standard deviation 1/2.
    figures = statistics.measure([torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 2, 1)])
    assert figures == {"grey_mean": 0.5, "grey_std": 0.5}
    assert statistics(torch.tensor([0.0, 1.0])).tolist() == [-1, 1]
    other = GreyStatistics()
    other.load_state_dict(statistics.state_dict())
    assert other(torch.tensor([1.0])).tolist() == [1]


def test_statistics_of_nothing_and_of_one_grey():
    assert GreyStatistics().measure([]) == {"grey_mean": 0.0, "grey_std": 1.0}
    assert GreyStatistics().measure([torch.full((4,), 0.25)])["grey_std"] == pytest.approx(1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1))
def test_statistics_under_inversion_are_those_of_the_mixture(values, probability):
    x = np.array(values)
    mean = (1 - probability) * x.mean() + probability * (1 - x).mean()
    square = (1 - probability) * (x**2).mean() + probability * ((1 - x) ** 2).mean()
    found = inverted_statistics(float(x.mean()), float(x.std()), probability)
    assert found[0] == pytest.approx(mean)
    assert found[1] ** 2 == pytest.approx(square - mean**2, abs=1e-9)


def test_the_maximum_over_views_by_hand():
    features = torch.tensor([[1.0, 5.0], [7.0, 0.0], [3.0, 2.0]])
    assert pool_views(features, torch.tensor([0, 1, 0])).tolist() == [[3, 5], [7, 0]]
    assert pool_views(features[:0], torch.zeros(0, dtype=torch.int64)).shape == (0, 2)


@pytest.fixture(params=["cells", "maps"])
def aggregator(request):
    torch.manual_seed(1)
    return AggregatorNetwork(SMALL, ViewsConfig(pooling=request.param)).eval()


def test_the_order_of_the_views_plays_no_part(aggregator):
    views = images(4)
    expected = aggregator(views, torch.zeros(4, dtype=torch.int64)).studies
    for order in itertools.permutations(range(4)):
        answer = aggregator(views[list(order)], torch.zeros(4, dtype=torch.int64))
        assert torch.allclose(answer.studies, expected, atol=1e-5)


def test_any_number_of_views_and_the_same_one_twice(aggregator):
    views = images(6)
    study = torch.tensor([0, 1, 1, 2, 2, 2])
    together = aggregator(views, study)
    assert together.studies.shape == (3,)
    for number in range(3):
        alone = aggregator(views[study == number], torch.zeros(number + 1, dtype=torch.int64))
        assert torch.allclose(alone.studies, together.studies[number : number + 1], atol=1e-5)
    # One image is its own study, and a copy of it adds nothing.
    twice = aggregator(views[[0, 0]], torch.zeros(2, dtype=torch.int64))
    assert torch.allclose(twice.studies, together.views[:1], atol=1e-5)
    assert twice.shares.tolist() == pytest.approx([0.5, 0.5], abs=1e-5)
    assert together.shares[0] == 1


@torch.no_grad()
def test_the_shares_are_what_leaving_an_image_out_costs(aggregator):
    views = images(3)
    answer = aggregator(views, torch.zeros(3, dtype=torch.int64))
    falls = []
    for k in range(3):
        rest = aggregator(views[[j for j in range(3) if j != k]], torch.zeros(2, dtype=torch.int64)).studies
        falls.append(max(0.0, float(answer.studies[0] - rest[0])))
    expected = [fall / sum(falls) for fall in falls] if sum(falls) else [1 / 3] * 3
    assert answer.shares.tolist() == pytest.approx(expected, abs=1e-4)
    assert float(answer.shares.sum()) == pytest.approx(1)


def trained_rx(path):
    torch.manual_seed(3)
    network = RxNetwork(SMALL)
    network.statistics.measure([images(4)])
    return network, save_weights(path, network.state_dict())


@pytest.mark.parametrize("frozen", [False, True])
def test_transfer_takes_views_and_statistics_and_not_the_classifier(tmp_path, frozen):
    rx, digest = trained_rx(tmp_path / "rx.safetensors")
    views = ViewsConfig(weights=str(tmp_path / "rx.safetensors"), weights_sha256=digest, frozen=frozen)
    network = AggregatorNetwork(SMALL, views).train()
    batch, study = images(4), torch.tensor([0, 0, 1, 1])
    assert torch.equal(network.statistics.mean, rx.statistics.mean)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert all(torch.equal(before[n], t) for n, t in rx.state_dict().items() if n.startswith("views."))
    assert not torch.equal(before["classifier.2.weight"], rx.classifier[2].weight)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(batch, study).studies.square().sum().backward()
    optimizer.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith("classifier.") for name in moved)
    assert any(name.startswith("views.") for name in moved) != frozen


def test_weights_of_other_blocks_are_refused(tmp_path):
    trained_rx(tmp_path / "rx.safetensors")
    views = ViewsConfig(weights=str(tmp_path / "rx.safetensors"))
    with pytest.raises(WeightsError, match="same blocks"):
        AggregatorNetwork(RxConfig(channels=(4, 7)), views)
    AggregatorNetwork(RxConfig(channels=(4, 7)), views, initialise=False)


NARROW = AttentionConfig(stem=8, channels=(8, 8), modules=(1, 1), depths=(2, 1), final_units=1)
VIT = BackboneConfig(
    name="vit_tiny_patch16_224",
    weights="random",
    options={"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2},
)


@pytest.mark.parametrize("size", [(64, 48), (61, 37)])
@pytest.mark.parametrize("kind", ["resnet", "rx", "vit", "attention"])
def test_one_logit_per_image_and_gradients_everywhere(kind, size):
    torch.manual_seed(0)
    network = {
        "resnet": lambda: ResidualNetwork(BackboneConfig(name="test_resnet", weights="random")),
        "rx": lambda: RxNetwork(SMALL),
        "vit": lambda: TransformerNetwork(VIT, size),
        "attention": lambda: AttentionNetwork(NARROW),
    }[kind]()
    logits = network(images(3, *size))
    assert logits.shape == (3,)
    logits.square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_a_mask_strengthens_the_trunk_up_to_two_times():
    module = AttentionModule(8, depth=2).eval()
    module.after = torch.nn.Identity()
    maps = torch.randn(2, 8, 9, 7)
    trunk = module.trunk(module.before(maps))
    ratio = (module(maps) / trunk)[trunk.abs() > 1e-3]
    assert ratio.min() >= 1
    assert ratio.max() <= 2


def test_a_transformer_pads_to_whole_patches_and_loads_local_weights(tmp_path):
    network = TransformerNetwork(VIT, (61, 37))
    assert network.padding == (3, 3)  # 61 + 3 = 64, 37 + 3 = 40, whole patches of 8
    digest = save_weights(tmp_path / "vit.safetensors", network.transformer.state_dict())
    local = VIT.model_copy(update={"weights": str(tmp_path / "vit.safetensors"), "weights_sha256": digest})
    again = TransformerNetwork(local, (61, 37))
    ours, theirs = network.transformer.state_dict(), again.transformer.state_dict()
    assert all(torch.equal(ours[n], theirs[n]) for n in ours if not n.startswith("head."))
    wrong = local.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(WeightsError, match="SHA-256"):
        TransformerNetwork(wrong, (61, 37))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet18"}, "Vision Transformer"),
        ({"options": {"embed_dim": 23, "num_heads": 2}}, "options"),
    ],
)
def test_transformers_that_cannot_be(change, message):
    with pytest.raises(ConfigError, match=message):
        TransformerNetwork(VIT.model_copy(update=change), (64, 64))
