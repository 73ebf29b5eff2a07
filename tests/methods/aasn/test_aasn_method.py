"""The method around the Siamese network: configuration, masks, loss, whole images, detector inside, flips."""

import inspect
import json
import math
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from crepitus.errors import ConfigError
from crepitus.methods.aasn.config import AasnConfig, FusionConfig, LiuMetricConfig
from crepitus.methods.aasn.method import Aasn, ContrastedBilateral, DeepSymNet, LiuMetric
from crepitus.methods.base import Targets
from crepitus.methods.config_file import load_config
from crepitus.methods.landmarks.method import HeatmapLandmarksMethod, Landmarks, LandmarksConfig
from crepitus.methods.parts.weights import save_weights

NAMES = ["pubis-L", "pubis-R", "ischium-L", "ischium-R", "asis-L", "asis-R"]
UPRIGHT = torch.tensor([[40.0, 12], [24, 12], [48, 26], [16, 26], [60, 3], [4, 3]])
TINY = {
    "backbone": {
        "name": "densenet121",
        "weights": "random",
        "options": {"growth_rate": 4, "block_config": [1, 1, 1, 1]},
    },
    "input": {"rows_px": 32, "columns_px": 64, "size_px": 64, "fit": "stretch"},
    "region": {"rows_px": 32, "columns_px": 64},
    "landmarks": {"names": NAMES},
    "siamese": {"projection_channels": 8},
}
KINDS = [Aasn, LiuMetric, DeepSymNet, ContrastedBilateral]


def method_of(kind=Aasn, **changes):
    values = {key: {**TINY.get(key, {}), **changes.get(key, {})} for key in {*TINY, *changes}}
    return kind(kind.config_class.model_validate(values))


def targets_of(points, landmarks=UPRIGHT, known=True):
    count = len(points)
    return Targets(
        [str(k) for k in range(count)],
        torch.tensor([float(len(p) > 0) for p in points]),
        points,
        torch.full((count,), known),
        landmarks=landmarks.expand(count, -1, -1),
        views=torch.eye(2, 3).expand(count, 2, 3),
    )


def built(method):
    torch.manual_seed(0)
    return method.network(initialise=True)


def test_defaults_are_those_of_the_paper():
    config = AasnConfig()
    assert config.input.shape == (256, 512)
    assert (config.training.optimizer, config.training.learning_rate) == ("adam", 1e-5)
    assert (config.loss.radius_px, config.loss.margin, config.loss.contrastive_weight) == (50, 0.5, 0.5)
    assert (config.siamese.split, config.siamese.fusion_place) == (3, "inside")
    assert config.backbone.name == "densenet121"


@pytest.mark.parametrize("scale", ["paper", "full", "cpu", "smoke"])
@pytest.mark.parametrize("kind", [*KINDS, Landmarks, HeatmapLandmarksMethod])
def test_the_shipped_configurations_are_valid(kind, scale):
    folder = Path(inspect.getfile(kind)).parent / "configs"
    config = load_config(kind.config_class, folder / f"{scale}.toml")
    if scale == "paper" and kind in KINDS:
        paper = kind.config_class.model_validate({"training": {"epochs": config.training.epochs}})
        assert config == paper
    if scale in ("cpu", "smoke"):
        assert sum(p.numel() for p in kind(config).network(initialise=True).parameters()) < 1_000_000


def test_a_part_of_a_table_keeps_the_other_defaults():
    config = AasnConfig.model_validate({"training": {"epochs": 3}, "backbone": {"weights": "random"}})
    assert config.training.learning_rate == 1e-5
    assert config.backbone.name == "densenet121"


@pytest.mark.parametrize("kind", KINDS)
def test_each_relative_learns_a_step_and_answers(kind):
    method = method_of(kind)
    network = built(method).train()
    targets = targets_of([torch.tensor([[40.0, 14.0]]), torch.zeros(0, 2)])
    images = torch.rand(2, 1, 32, 64)
    loss = method.loss(method.forward(network, images, targets), targets, (32, 64))
    loss.backward()
    assert loss.item() > 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.siamese.encoder.parameters())
    decoded = method.infer(network.eval(), images, targets)
    assert decoded.assessable.tolist() == [True, True]
    assert ((decoded.scores >= 0) & (decoded.scores <= 1)).all()
    assert torch.equal(decoded.scores, decoded.heatmaps.flatten(1).amax(1))


def test_relatives_are_fixed_and_say_so():
    assert LiuMetricConfig().model_validate({}).siamese.fusion is False
    assert FusionConfig.model_validate({"siamese": {"split": 2}}).siamese.alignment == "image"
    with pytest.raises(ValidationError, match=r"siamese\.alignment is 'image' in this method by definition"):
        FusionConfig.model_validate({"siamese": {"alignment": "feature"}})


def test_loss_is_the_sum_of_both_by_hand():
    # Untrained logits are about those of the prior 0.01, no point: L_b is near -ln 0.99 = 0.01005.
    # The distance alone then makes up lambda times its mean.
    method = method_of()
    network = built(method).eval()
    targets = targets_of([torch.zeros(0, 2)])
    raw = method.forward(network, torch.rand(1, 1, 32, 64), targets)
    bce = torch.nn.functional.softplus(raw.siamese.logits).mean()
    expected = bce + 0.5 * raw.siamese.distance.mean()
    assert method.loss(raw, targets, (32, 64)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_mask_of_the_comparison_holds_both_sides():
    # A point on the left: cells near it and near its mirror image about x = 32 are affected.
    method = method_of(loss={"radius_px": 64.0})  # 8 px at a region of 64 columns
    network = built(method).eval()
    targets = targets_of([torch.tensor([[8.0, 8.0]])])
    raw = method.forward(network, torch.rand(1, 1, 32, 64), targets)
    near = raw.siamese.distance.detach().clone().fill_(0.2)
    terms = method._contrastive(
        type(raw.siamese)(None, near, raw.siamese.positions, raw.siamese.regions),
        *raw.siamese.regions.points(targets.points),
        8.0,
    )
    # 2 x 4 cells with centres x = 8, 24, 40, 56 and y = 8, 24: two are affected (x = 8 and 56, y = 8):
    # (2 (0.5 - 0.2) + 6 * 0.2) / 8.
    assert terms.tolist() == pytest.approx([(2 * 0.3 + 6 * 0.2) / 8])


def test_images_with_unknown_places_train_nothing():
    method = method_of()
    network = built(method).train()
    targets = targets_of([torch.zeros(0, 2)], known=False)
    loss = method.loss(method.forward(network, torch.rand(1, 1, 32, 64), targets), targets, (32, 64))
    assert loss.item() == 0


def test_without_landmarks_the_answer_is_not_assessable():
    method = method_of()
    network = built(method).eval()
    decoded = method.infer(network, torch.rand(2, 1, 32, 64))
    assert decoded.assessable.tolist() == [False, False]
    vanilla = method_of(siamese={"fusion": False, "contrastive": False})
    assert vanilla.infer(built(vanilla).eval(), torch.rand(2, 1, 32, 64)).assessable.all()


def test_heatmap_of_a_whole_image_is_zero_outside_the_region_and_keeps_its_maximum():
    method = method_of(
        input={"rows_px": 128, "columns_px": 128, "fit": "pad"}, region={"source": "landmarks", "margin": 0.0}
    )
    network = built(method).eval()
    landmarks = UPRIGHT + torch.tensor([32.0, 50.0])
    decoded = method.infer(network, torch.rand(1, 1, 128, 128), targets_of([torch.zeros(0, 2)], landmarks))
    # Pubis and ischium: x 16..48, y 12..26, made twice as wide as high: 32 x 16 about (32, 19), moved by
    # (32, 50): x 48..80, y 61..77. Cells of 8 px.
    heat = decoded.heatmaps[0]
    assert heat.shape == (16, 16)
    assert decoded.scores.item() == pytest.approx(heat.max().item())
    rows, columns = torch.nonzero(heat > 0, as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 9, 6, 9)


def test_answers_of_a_flipped_image_are_flipped_by_averaging():
    method = method_of(inference={"flip_average": True})
    network = built(method).eval()
    image = torch.rand(1, 1, 32, 64)
    points = [torch.zeros(0, 2)]
    here = method.infer(network, image, targets_of(points))
    moved = torch.stack([64 - UPRIGHT[:, 0], UPRIGHT[:, 1]], 1)[[1, 0, 3, 2, 5, 4]]
    there = method.infer(network, image.flip(-1), targets_of(points, moved))
    assert torch.allclose(here.heatmaps, there.heatmaps.flip(-1), atol=1e-5)


def detector_run(folder, size=64):
    values = {
        "backbone": {"name": "test_resnet", "weights": "random"},
        "input": {"size_px": size},
        "detector": {"names": NAMES, "channels": 8, "hidden": 8, "depth": 1, "local_steps": 1},
        "assess": {"max_sd": 1e6, "max_residual": 1.0},
    }
    method = Landmarks(LandmarksConfig.model_validate(values))
    torch.manual_seed(1)
    network = method.network(initialise=True)
    network.mean_shape.copy_(UPRIGHT / 64)
    folder.mkdir()
    sha256 = save_weights(folder / "weights.safetensors", network.state_dict())
    record = {
        "method": "landmarks",
        "config": method.config.model_dump(mode="json"),
        "weights": "weights.safetensors",
        "sha256": sha256,
    }
    (folder / "model.json").write_text(json.dumps(record))
    return network


def test_a_detector_becomes_part_of_the_network(tmp_path):
    trained = detector_run(tmp_path / "run")
    whole = {"rows_px": 64, "columns_px": 64, "fit": "pad"}
    method = method_of(input=whole, region={"source": "landmarks"}, landmarks={"run": str(tmp_path / "run")})
    network = built(method).eval()
    image = torch.rand(1, 1, 64, 64)
    decoded = method.infer(network, image)
    assert decoded.assessable.tolist() == [True]
    assert torch.allclose(decoded.landmarks[..., :2], trained.eval()(image).steps[-1], atol=1e-3)
    # The configuration is complete: the run may go, and a detector is never trained further.
    stored = json.loads(json.dumps(method.config.model_dump(mode="json")))
    again = Aasn(AasnConfig.model_validate(stored))
    (tmp_path / "run" / "model.json").unlink()
    copy = again.network(initialise=False).eval()
    copy.load_state_dict(network.state_dict())
    assert torch.equal(again.infer(copy, image).heatmaps, decoded.heatmaps)
    assert not any(p.requires_grad for p in network.detector.parameters())
    assert not network.train().detector.training


def test_detector_of_other_proportions_is_refused(tmp_path):
    detector_run(tmp_path / "run")
    method = method_of(landmarks={"run": str(tmp_path / "run")})
    with pytest.raises(ConfigError, match="same proportions"):
        method.network(initialise=True)


def test_wrong_runs_are_refused(tmp_path):
    with pytest.raises(ValidationError, match=r"without a readable model\.json"):
        AasnConfig.model_validate({"landmarks": {"run": str(tmp_path)}})
    (tmp_path / "model.json").write_text('{"method": "window-loss"}')
    with pytest.raises(ValidationError, match="got one of 'window-loss'"):
        AasnConfig.model_validate({"landmarks": {"run": str(tmp_path)}})


def test_distance_as_answer_is_a_half_at_the_margin():
    method = method_of(LiuMetric)
    network = built(method).eval()
    raw = method.forward(network, torch.rand(1, 1, 32, 64), targets_of([torch.zeros(0, 2)]))
    raw.siamese.distance.detach().fill_(0.5)
    assert method.decode(raw).scores.item() == pytest.approx(0.5)
    assert math.isfinite(method.loss(raw, targets_of([torch.tensor([[8.0, 8.0]])]), (32, 64)).item())
