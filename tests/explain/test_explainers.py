"""Every method with every explainer: it explains or says why not; and what the maps must fulfil."""

from dataclasses import replace

import pytest
import torch

from crepitus.errors import UsageError
from crepitus.explain.explainers import Explainer, explain, select
from crepitus.explain.relevance import Relevance
from crepitus.explain.support import EXPLAINERS, explainers_of, support_table, why_not
from crepitus.explain.targets import target_names, weights_of
from crepitus.methods.base import Targets
from crepitus.methods.config_file import load_config
from crepitus.methods.registry import METHODS
from tiny_methods import OF_THE_PELVIS, SETTINGS


def made(name, *settings, seed=0):
    """A small method of that name and its untrained network."""
    method_class = METHODS[name].load()
    method = method_class(load_config(method_class.config_class, None, (*SETTINGS[name], *settings)))
    torch.manual_seed(seed)
    network = method.network(initialise=True)
    if name == "roi-mining":
        network.begin_second_stage()
    return method, network.eval()


def batch(method, studies=(0, 0)):
    """Two random images as one study, with a region of interest."""
    torch.manual_seed(1)
    images = torch.rand(2, 1, *method.config.input.shape)
    targets = Targets.unknown(["a", "b"], studies)
    return images, replace(targets, regions=torch.tensor([[6.0, 4, 46, 44]] * 2))


PAIRS = [(name, explainer) for name in SETTINGS for explainer in explainers_of(name)]


@pytest.mark.parametrize(("name", "explainer"), PAIRS)
def test_explains_what_the_table_promises(name, explainer):
    method, network = made(name)
    images, targets = batch(method)
    found = explain(method, network, images, targets, explainer)
    assert found.values.shape[0] == 2
    assert found.values.dtype == torch.float32
    assert torch.isfinite(found.values).all()
    assert found.values.abs().sum() > 0
    assert found.explained.isnan().all() == (explainer in {"own", "rollout"})
    if explainer == "lrp":
        assert found.values.shape[1:] == images.shape[2:]
        assert (found.conservation_error() < 0.01).all()
    else:
        assert found.conservation_error().isnan().all()


@pytest.mark.parametrize("name", METHODS)
def test_what_is_not_supported_has_a_reason(name):
    assert explainers_of(name) or name in {"landmarks", "landmarks-heatmap"}
    for explainer in EXPLAINERS:
        assert (why_not(name, explainer) == "") == (explainer in explainers_of(name))
    method_class = METHODS[name].load()
    for explainer in set(EXPLAINERS) - set(explainers_of(name)):
        with pytest.raises(UsageError, match=f"{explainer}: it cannot explain {name}: ."):
            Explainer(method_class(method_class.config_class()), torch.nn.Identity(), explainer)


def test_the_table_has_every_method():
    assert [name for name, _ in support_table()] == list(METHODS)
    assert set(SETTINGS) | OF_THE_PELVIS == set(METHODS)


def test_the_heatmap_of_a_method_is_its_own():
    method, network = made("chexnet")
    images, _ = batch(method)
    found = explain(method, network, images, None, "own")
    assert torch.equal(found.values, method.infer(network, images).heatmaps)


def test_a_class_activation_map_with_average_pooling_sums_to_the_logit_without_bias():
    method, network = made("chexnet")
    images, _ = batch(method)
    found = explain(method, network, images, None, "cam")
    with torch.no_grad():
        logits = network(images).image[:, 0]
        bias = network.head.classifier.bias
    assert torch.allclose(found.explained, logits.double(), atol=1e-6)
    assert torch.allclose(found.values.sum(dim=(1, 2)) + bias, logits, atol=1e-5)


def test_grad_cam_with_average_pooling_is_the_class_activation_map():
    # d logit / d f = w / cells, everywhere: its mean over the cells is w / cells, as in CAM.
    method, network = made("wrist-resnet18")
    images, _ = batch(method)
    pair = [explain(method, network, images, None, name).values for name in ("cam", "grad-cam")]
    assert torch.allclose(*pair, atol=1e-6)


def test_the_explained_output_is_the_logit_of_the_score():
    for name in ("wrist-rx", "wrist-resnet18", "wrist-attention", "chexnet", "wspl", "ufdet"):
        method, network = made(name)
        images, targets = batch(method, studies=(0, 1))
        score = method.infer(network, images, targets).scores.double()
        found = explain(method, network, images, targets, "grad-cam")
        assert torch.allclose(torch.sigmoid(found.explained), score, atol=1e-5), name


def test_the_views_of_a_study_share_the_logit_of_the_study():
    method, network = made("wrist-aggregator")
    images, targets = batch(method)
    found = explain(method, network, images, targets, "lrp")
    study = method.infer(network, images, targets).study_scores.double()
    assert torch.allclose(torch.sigmoid(found.explained), study.expand(2), atol=1e-5)
    whole = found.values.double().sum() + found.absorbed[0]
    assert float(whole) == pytest.approx(float(found.explained[0]), rel=1e-3)
    apart = explain(method, network, images, replace(targets, study=torch.tensor([0, 1])), "lrp")
    assert apart.unit.tolist() == [0, 1]
    assert not torch.allclose(apart.values, found.values)


def test_black_below_a_transformer_has_no_part_in_the_map():
    method, network = made("wrist-vit", "input.rows_px=60")
    images, targets = batch(method)
    found = explain(method, network, images, targets, "rollout")
    assert found.values.shape == (2, 60, 48)
    assert (found.values >= 0).all()
    assert found.values[0, 0, 0] == found.values[0, 15, 15]  # one value per patch of 16 px


def test_a_transformer_is_left_as_it_was():
    method, network = made("wrist-vit")
    images, targets = batch(method)
    before = method.infer(network, images, targets).scores
    fused = [block.attn.fused_attn for block in network.transformer.blocks]
    explain(method, network, images, targets, "rollout")
    assert [block.attn.fused_attn for block in network.transformer.blocks] == fused
    assert torch.equal(method.infer(network, images, targets).scores, before)


def test_the_order_and_the_company_of_images_do_not_matter():
    method, network = made("wrist-rx")
    images, _ = batch(method)
    both = explain(method, network, images, None, "lrp").values
    alone = explain(method, network, images[1:], None, "lrp").values
    assert torch.allclose(both[1:], alone, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("output", ["softmax", "tree"])
@pytest.mark.parametrize("classes", [2, 3, 6, 7])
def test_the_weights_of_a_class_pick_its_logits(classes, output):
    method, _ = made("femur-lbm", f"classes={classes}", f"output={output}")
    logits = torch.randn(3, method.logits)
    for target in target_names(method):
        weights = weights_of(method, logits, target)
        assert weights.shape == logits.shape
        assert (weights.abs().sum(dim=1) > 0).all()
    if output == "softmax" and classes == 3:  # A, B, N
        assert weights_of(method, logits, "B").tolist() == [[0, 1, 0]] * 3
        logits = torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 5.0]])
        assert weights_of(method, logits, "fracture").tolist() == [[1, 0, -1], [0, 1, -1]]
    if output == "tree" and classes == 3:  # fracture or not; A or B
        assert weights_of(method, logits, "fracture").tolist() == [[1, -1, 0, 0]] * 3
        assert weights_of(method, logits, "B").tolist() == [[1, -1, -1, 1]] * 3


def test_a_target_that_the_method_has_not_is_refused():
    method, network = made("wrist-rx")
    with pytest.raises(UsageError, match="expected one of fracture of wrist-rx, got 'A2'"):
        Explainer(method, network, "lrp", "A2")
    with pytest.raises(UsageError, match="expected some of lrp, grad-cam"):
        Explainer(method, network, "lime")


def test_a_lost_share_is_an_error_of_conservation():
    # Of 2, pixels get 0.5 + 0.25 and biases 1: 0.25 is lost, an eighth.
    values = torch.tensor([[[0.5]], [[0.25]]])
    numbers = torch.full((2,), 2.0).double(), torch.full((2,), 1.0).double()
    found = Relevance(values, "fracture", *numbers, torch.tensor([0, 0]))
    assert found.conservation_error().tolist() == [0.125, 0.125]


def test_of_no_images_nothing_is_explained():
    method, network = made("wrist-rx")
    empty = torch.zeros(0, 1, *method.config.input.shape)
    found = explain(method, network, empty, None, "lrp")
    assert len(found.values) == 0
    assert len(found.conservation_error()) == 0


def test_a_part_of_the_targets_keeps_what_belongs_together():
    targets = Targets.unknown(["a", "b", "c"], [0, 1, 1])
    chosen = select(targets, torch.tensor([1, 2]))
    assert chosen.image_ids == ["b", "c"]
    assert chosen.study.tolist() == [0, 0]
    assert len(chosen.points) == len(chosen.boxes) == len(chosen.regions) == 2


def test_rollout_is_the_product_of_what_each_layer_passes_on():
    # Attention from the weights: softmax(q k / sqrt(d)), mean over heads, (A + I) / 2, layer by layer.
    method, network = made("wrist-vit", "backbone.options={embed_dim=24,depth=2,num_heads=2}")
    images, targets = batch(method)
    transformer = network.transformer
    with torch.no_grad():
        tokens = transformer.patch_embed(network.statistics(images))
        tokens = transformer.norm_pre(transformer._pos_embed(tokens))
        flow = torch.eye(tokens.shape[1])
        for block in transformer.blocks:
            inner = block.attn.qkv(block.norm1(tokens)).reshape(2, -1, 3, 2, 12).permute(2, 0, 3, 1, 4)
            attention = (inner[0] @ inner[1].transpose(-1, -2) / 12**0.5).softmax(dim=-1).mean(dim=1)
            flow = (attention + torch.eye(tokens.shape[1])) / 2 @ flow
            tokens = block(tokens)
    found = explain(method, network, images, targets, "rollout").values
    # 64 x 48 pixels are 4 x 3 patches of 16 px; the first token is that of the class.
    assert torch.allclose(found[:, ::16, ::16].flatten(1), flow[:, 0, 1:], atol=1e-6)
    assert torch.allclose(flow.sum(dim=-1), torch.ones(2, 13), atol=1e-5)


@pytest.mark.parametrize("explainer", ["lrp", "grad-cam"])
def test_what_lies_outside_a_crop_has_no_part(explainer):
    method, network = made("femur-ubm")
    images, targets = batch(method)
    values = explain(method, network, images, targets, explainer).values
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[3:45, 5:47] = False  # the region, and a pixel of interpolation around it
    assert values[:, outside].abs().max() == 0
    assert values.abs().sum() > 0
